"""`zslpipe export RUN`: backbone and head in one file, checked on real images, with a class table and a model card."""

import csv
import io
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zslpipe.data.class_table import CLASSES
from zslpipe.data.new_classes import unit_length
from zslpipe.data.scan import scan_images
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import Result
from zslpipe.files import write_json, write_text
from zslpipe.progress import say
from zslpipe.serving.exporting.card import Facts, card
from zslpipe.serving.exporting.check import Check, check
from zslpipe.serving.exporting.formats import FILES, WRITERS
from zslpipe.serving.exporting.whole_model import INPUTS, OUTPUTS, WholeModel
from zslpipe.serving.predictor import ClassList, Predictor
from zslpipe.workflows.evaluate import evaluate_run, validated_evaluation
from zslpipe.workflows.predict import predictor_of, seed_of
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.workspace import Workspace

ABOUT, CARD = "model.json", "README.md"
CHECKED = 32  # images of the dataset on which the result is compared


@dataclass(frozen=True)
class ExportedRun:
    """The folder, its files, and how the exported model compares with Python."""

    run: str
    files: list[Path]
    check: Check

    def as_json(self) -> dict[str, Any]:
        return {"run": self.run, "files": [str(file) for file in self.files], "check": self.check.as_json()}


def export_run(
    workspace: Workspace,
    name: str | None,
    out: Path,
    *,
    format_: str,
    seed: int | None = None,
    images: Sequence[Path] = (),
) -> ExportedRun:
    """Write a run as one file that takes pixels and the semantics of classes.

    Args:
        workspace: where runs and stores are.
        name: of the run, None for the newest.
        out: folder that does not exist, is empty or holds an earlier export.
        format_: onnx or program.
        seed: which of the run's seeds, None for the first.
        images: files and folders for the comparison with Python; some test images of the dataset by default.

    Raises:
        InputError: if the run cannot be exported, a library is missing, or there are no images to compare on.
        ZslpipeError: if the exported model differs from Python by more than rounding; nothing is written then.
    """
    _require_free(out)
    run = find_run(workspace.runs, name)
    seed = seed_of(run, seed)
    predictor = predictor_of(workspace, run, seed, "cpu")
    files = _images(run, images)
    model = WholeModel(predictor)
    example = (
        torch.zeros((2, *predictor.images.backbone.transform.size, 3), dtype=torch.uint8),
        torch.from_numpy(predictor.classes.semantics),
        torch.from_numpy(predictor.classes.seen),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as place:
        folder = Path(place) / out.name
        folder.mkdir()
        say(f"writing {FILES[format_]}")
        run_model = WRITERS[format_](model, example, folder)
        say(f"comparing with Python on {len(files)} images")
        found = check(predictor, run_model, files)
        write_text(folder / CLASSES, class_table(predictor.classes))
        np.save(folder / "semantics.npy", predictor.classes.semantics)
        write_json(folder / ABOUT, about_model(predictor, model, format_, found))
        facts = Facts(predictor, seed, run.about, results_of(workspace, run), published(predictor, format_, found))
        write_text(folder / CARD, card(facts))
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    return ExportedRun(run.name, sorted(out.iterdir()), found)


def _require_free(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give a folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / ABOUT).is_file():
        raise InputError(f"{out} has other files in it: give an empty or a new folder.")


def _images(run: Run, given: Sequence[Path]) -> list[Path]:
    """The images to compare on: all given ones, or some test images of every kind."""
    if given:
        found = [p / i for p in given if p.is_dir() for i in scan_images(p).images] + [
            p for p in given if not p.is_dir()
        ]
    else:
        benchmark = run.benchmark
        rows = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
        some = (
            rows[np.unique(np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).astype(int))] if len(rows) else rows
        )
        root = benchmark.image_root
        found = [] if root is None else [root / benchmark.image_ids[row] for row in some]
        found = [path for path in found if path.is_file()]
    if not found:
        raise InputError(
            f"there are no images on which the export of {run.name} could be compared with Python: give some with "
            "--image."
        )
    return found


def results_of(workspace: Workspace, run: Run) -> list[Result] | None:
    """The test results at the validated calibration; None if no validation chose one."""
    try:
        done = validated_evaluation(run) or evaluate_run(workspace, run, True, True, "validated")
    except InputError:
        return None
    return list(done.results.values())


def class_table(classes: ClassList) -> str:
    """The classes as `classes.csv`: a class whose line is added, or edited, is described in the same way."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "split", *classes.attribute_names])
    for name, seen, row in zip(classes.names, classes.seen, classes.semantics):
        writer.writerow([name, "seen" if seen else "unseen", *map(str, row)])
    return text.getvalue()


def about_model(predictor: Predictor, model: WholeModel, format_: str, found: Check) -> dict[str, Any]:
    """What a program needs in order to use the file."""
    sure = predictor.confidence
    return {
        "format": 1,
        "run": predictor.name,
        "file": FILES[format_],
        "inputs": list(INPUTS),
        "outputs": list(OUTPUTS),
        "transform": predictor.images.backbone.transform.describe(),
        "delta": model.delta,
        "temperature": model.temperature,
        "certainty": None if sure is None else {"kind": sure.certainty, "threshold": sure.threshold},
        "classes": list(predictor.classes.names),
        "seen": predictor.classes.seen.tolist(),
        "check": found.as_json(),
    }


def published(predictor: Predictor, format_: str, found: Check) -> str:
    """How to use the files, in Markdown."""
    transform, width = predictor.images.backbone.transform, predictor.classes.semantics.shape[1]
    height, wide = transform.size
    runtime = {"onnx": "onnxruntime", "program": "torch.export.load"}[format_]
    unit = unit_length(predictor.classes.semantics)
    made = "scaled to unit length, as those of the run are" if unit else "on the scale of the run's"
    return f"""## Use

`{FILES[format_]}` runs with {runtime}. Inputs:

| name | shape | what |
| --- | --- | --- |
| `pixels` | (images, {height}, {wide}, 3) uint8 | RGB, resized ({transform.interpolation}, crop \
{transform.crop_pct:g}, {transform.mode}) but not normalised: `model.json` has the transform |
| `semantics` | (classes, {width}) float32 | one row per class: `semantics.npy` has those of the run, in the order \
of `classes.csv`; rows of other classes can be added, {made} |
| `seen` | (classes,) bool | which classes had training images; false for new ones |

Outputs are calibrated `scores` and `probabilities`, both (images, classes).

On {found.images} real images and {found.classes} classes, some of them made up, scores differed from those of zslpipe \
in Python by at most {found.score:.2g} (their standard deviation is {found.spread:.2g}), probabilities by \
{found.probability:.2g}. It ran {found.rate:g} images a second where Python ran {found.python_rate:g}, on the machine \
that exported it."""
