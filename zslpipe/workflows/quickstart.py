"""`zslpipe quickstart`: extract, train and evaluate on the demo set."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.demo import contact_sheet, demo_is_complete
from zslpipe.evaluation.scores import read_scores
from zslpipe.evaluation.stacking import rivals
from zslpipe.report.gallery import Picture, gallery
from zslpipe.workflows.evaluate import Evaluation, evaluate_run, table
from zslpipe.workflows.extract import Extraction, extract_store
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

BACKBONE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Quickstart:
    """The results, and which steps were already in the cache."""

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
            f"reused    {', '.join(self.reused) or 'nothing'}",
            f"took      {self.seconds:.0f} s",
        ]
        return "\n".join(lines)


def quickstart(workspace: Workspace) -> Quickstart:
    """Draw the demo set, extract features with ImageNet weights, and train, calibrate and evaluate `remse`."""
    started = time.monotonic()
    folder = workspace.cache / "demo"
    reused = ["images"] if demo_is_complete(folder) else []
    extraction = extract_store(workspace, "demo", BACKBONE, weights="package")
    if not extraction.computed:
        reused.append("store")
    run, found = train_head(workspace, "remse", extraction.store, reuse=True)
    if found:
        reused.append("run")
    evaluation = evaluate_run(workspace, run, gzsl=True, calibrate=True, selection="validated")
    pictures = (folder / "classes.png", run.path / "unseen.png")
    contact_sheet(run.benchmark, pictures[0])
    unseen_predictions(run, run.seeds[0], pictures[1])
    return Quickstart(extraction, evaluation, pictures, tuple(reused), time.monotonic() - started)


def unseen_predictions(run: Run, seed: int, path: Path, each: int = 4) -> None:
    """Write a sheet with the first `each` test images of every unseen class and their predictions among all classes."""
    kept, root = read_scores(run.path / f"seed-{seed}" / "scores"), run.benchmark.image_root
    assert root is not None
    predicted = rivals(kept.scores, kept.seen).predict(kept.delta or 0.0)
    pictures = []
    for c in np.flatnonzero(~kept.seen):
        for n in np.flatnonzero(kept.labels == c)[:each]:
            truth, guess = kept.class_names[c], kept.class_names[predicted[n]]
            pictures.append(Picture(root / kept.image_ids[n], truth, guess))
    gallery(path, pictures, columns=2 * each)
