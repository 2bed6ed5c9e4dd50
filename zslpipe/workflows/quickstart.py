"""`zslpipe quickstart`: the main job on the demo set, from drawing to table."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zslpipe.data.demo import contact_sheet, demo_is_complete, make_demo
from zslpipe.workflows.evaluate import Evaluation, evaluate_run, table
from zslpipe.workflows.extract import Extraction, extract_store
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

BACKBONE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Quickstart:
    """What was done and what was found done."""

    extraction: Extraction
    evaluation: Evaluation
    pictures: tuple[Path, ...]
    reused: tuple[str, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "store": self.extraction.as_json(),
            "evaluation": self.evaluation.as_json(),
            "pictures": [str(path) for path in self.pictures],
            "reused": list(self.reused),
            "seconds": round(self.seconds, 1),
        }

    def text(self) -> str:
        lines = [
            table([self.evaluation]),
            f"store     {self.extraction.store.path}",
            f"run       {self.evaluation.run.path}",
            *(f"picture   {path}" for path in self.pictures),
            f"reused    {', '.join(self.reused) or 'nothing: all of this was made now'}",
            f"took      {self.seconds:.0f} s",
        ]
        return "\n".join(lines)


def quickstart(workspace: Workspace, images_per_class: int = 40) -> Quickstart:
    """Draw the demo set, extract features with real ImageNet weights, train, calibrate and evaluate `remse`."""
    started = time.monotonic()
    folder = workspace.cache / "demo"
    reused = ["images"] if demo_is_complete(folder, images_per_class=images_per_class) else []
    make_demo(folder, images_per_class=images_per_class)
    extraction = extract_store(workspace, "demo", BACKBONE, weights="package")
    if not extraction.computed:
        reused.append("store")
    run, found = train_head(workspace, "remse", extraction.store, reuse=True)
    if found:
        reused.append("run")
    evaluation = evaluate_run(workspace, run, gzsl=True, calibrate=True, selection="validated")
    pictures = _pictures(evaluation, folder)
    return Quickstart(extraction, evaluation, pictures, tuple(reused), time.monotonic() - started)


def _pictures(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """A sheet of all classes, beside the images, and one of predictions for unseen classes, with the run."""
    benchmark = evaluation.run.benchmark
    classes = folder / "classes.png"
    contact_sheet(benchmark, classes)
    return (classes,)
