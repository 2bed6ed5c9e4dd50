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
HEADS = ("remse", "gfzsl")


@dataclass(frozen=True)
class Quickstart:
    """The results, and which steps were already in the cache."""

    extraction: Extraction
    evaluations: tuple[Evaluation, ...]  # one of each head
    pictures: tuple[Path, ...]
    reused: tuple[str, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "store": self.extraction.as_json(),
            "evaluations": [evaluation.as_json() for evaluation in self.evaluations],
            "pictures": [str(path) for path in self.pictures],
            "reused": list(self.reused),
            "seconds": round(self.seconds, 1),
        }

    def text(self) -> str:
        lines = [
            table(self.evaluations),
            f"store     {self.extraction.store.path}",
            *(f"run       {evaluation.run.path}" for evaluation in self.evaluations),
            *(f"picture   {path}" for path in self.pictures),
            f"reused    {', '.join(self.reused) or 'nothing'}",
            f"took      {self.seconds:.0f} s",
        ]
        return "\n".join(lines)


def quickstart(workspace: Workspace) -> Quickstart:
    """Draw the demo set, extract features with ImageNet weights, and train, calibrate and evaluate two heads."""
    started = time.monotonic()
    folder = workspace.cache / "demo"
    reused = ["images"] if demo_is_complete(folder) else []
    extraction = extract_store(workspace, "demo", BACKBONE, weights="package")
    if not extraction.computed:
        reused.append("store")
    trained = [train_head(workspace, head, extraction.store, reuse=True) for head in HEADS]
    if all(found for _, found in trained):
        reused.append("runs")
    runs = [run for run, _ in trained]
    evaluations = tuple(evaluate_run(workspace, run, gzsl=True, calibrate=True, selection="validated") for run in runs)
    pictures = (folder / "classes.png", *(run.path / "unseen.png" for run in runs))
    contact_sheet(runs[0].benchmark, pictures[0])
    for run, path in zip(runs, pictures[1:], strict=True):
        unseen_predictions(run, run.seeds[0], path)
    return Quickstart(extraction, evaluations, pictures, tuple(reused), time.monotonic() - started)


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
