"""The backbone that a run has fine-tuned: as a weights file that says whose labels it saw, and with those of its folds.

The file RUN/seed-N/backbone.safetensors holds the whole model. Its metadata name the images and classes whose labels
were used, so that a store extracted with it is refused wherever that would be a leak.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zslpipe.backbones import Backbone, Transform
from zslpipe.backbones.taps import Grid
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.files import atomic_write, sha256_file
from zslpipe.heads import Head, load_head
from zslpipe.json_types import missing_or_mismatched
from zslpipe.parts.networks import model_of
from zslpipe.parts.torch_head import TorchHead
from zslpipe.selection import selection_rule
from zslpipe.store.version import Version
from zslpipe.workflows.derive import fold_models, fold_places, source_store, trained_model
from zslpipe.workflows.runs import ABOUT, Run, find_run
from zslpipe.workflows.workspace import Workspace

WEIGHTS = "backbone.safetensors"
KEY = "labels_seen"
ABOUT_WEIGHTS: dict[str, Any] = {
    "backbone": str,
    "image_size": int | list[int] | None,
    "dataset": str,
    "dataset_given": str | None,
    "class_table": str | None,
    "trunk_trained": bool,
    "images": list[str],
    "classes": list[str],
}


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned backbone.

    Attributes:
        weights: the file.
        about: its metadata: name and image size of the backbone, dataset and class table, images and classes.
    """

    weights: Path
    about: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "FineTuned | None":
        """What a weights file says about itself; None if it is not of a run.

        Raises:
            InputError: if it says so, but not what is needed.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                kept = (file.metadata() or {}).get(KEY)
        except (OSError, SafetensorError):
            return None  # whoever loads it says what is wrong
        if kept is None:
            return None
        try:
            about = json.loads(kept)
            wrong = missing_or_mismatched(about, ABOUT_WEIGHTS, {})
        except (ValueError, RecursionError):
            wrong = "it is not readable"
        if wrong:
            raise InputError(f"{path} does not say which labels its backbone has seen ({wrong}): train it again.")
        return cls(path, about)

    def version(self, tap: str, of: str, benchmark: Benchmark) -> Version:
        """Of a tap of a store of the benchmark that this backbone makes.

        Raises:
            InputError: if the benchmark is of another dataset.
        """
        if benchmark.name != self.about["dataset"]:
            raise InputError(
                f"{self.weights} was fine-tuned on {self.about['dataset']}: its labels cannot be kept out of selection "
                f"on {benchmark.name}, so extract {self.about['dataset']}."
            )
        images = np.isin(benchmark.image_ids, self.about["images"])
        return Version(tap, of, images, tuple(self.about["classes"]), sha256_file(self.weights))


class Source(NamedTuple):
    """What to extract: arguments of `extract_store`."""

    dataset: str | None
    backbone: str | None
    weights: str
    class_table: Path | None
    image_size: int | tuple[int, int] | None


def with_tuned(workspace: Workspace, given: Source, seed: int | None, folds: bool) -> tuple[Source, list[FineTuned]]:
    """The source with what is not given taken from the run that `weights` names, and the run's backbones: the final
    one, then those of its folds. Without a run there are none, and the source is as it was.

    Raises:
        InputError: if `folds` are asked for without a run.
    """
    tuned = tuned_backbone(workspace, given.weights, seed)
    if tuned is None:
        if folds:
            raise InputError(
                f"weights '{given.weights}' have no folds: give --weights a run that fine-tuned its backbone."
            )
        return given, []
    about = tuned.about
    source = Source(
        given.dataset or about["dataset_given"],
        given.backbone or about["backbone"],
        str(tuned.weights),
        given.class_table or (about["class_table"] and Path(about["class_table"])),
        about["image_size"] if given.image_size is None else given.image_size,
    )
    return source, [tuned, *(fold_backbones(workspace, tuned) if folds else ())]


def tuned_backbone(workspace: Workspace, weights: str, seed: int | None = None) -> FineTuned | None:
    """The backbone of the run that `weights` names, or of its file; None for other weights.

    Raises:
        InputError: if the run has not fine-tuned its backbone, or lacks the seed.
    """
    path = Path(weights)
    if path.is_file():
        return FineTuned.read(path)
    if not any((folder / ABOUT).is_file() for folder in (path, workspace.runs / weights)):
        return None
    run = find_run(workspace.runs, weights)
    seed = run.seeds[0] if seed is None else seed
    if seed not in run.seeds:
        raise InputError(f"run {run.name} has no seed {seed}; available: {', '.join(map(str, run.seeds))}.")
    return _written(workspace, run, run.path / f"seed-{seed}", run.head(seed), run.benchmark)


def fold_backbones(workspace: Workspace, tuned: FineTuned) -> list[FineTuned]:
    """The backbones fine-tuned inside the validation folds of its run, which are trained now unless they were."""
    folder = tuned.weights.resolve().parent
    run, head = Run(folder.parent), load_head(folder)
    parent = source_store(workspace, run)
    options = {"seed": int(folder.name.removeprefix("seed-")), **run.about["request"]["selection_options"]}
    problems = selection_rule(run.about["selection"], options).inner_problems(run.benchmark)
    fold_models(workspace, folder, head, parent, problems)
    return [_written(workspace, run, place, load_head(place), p) for place, p in fold_places(folder, problems)]


def _written(workspace: Workspace, run: Run, folder: Path, head: Head, problem: Benchmark) -> FineTuned:
    """The weights file in a folder with a head that was fitted on the problem's training images."""
    from safetensors.torch import save

    tuning = head.tuning_ if isinstance(head, TorchHead) else None
    if tuning is None:
        raise InputError(
            f"run {run.name} has trained no layers of its backbone: train it with zslpipe train-head {head.name} "
            "--mode tail."
        )
    parent = source_store(workspace, run)
    seen = trained_model(head, folder, parent, problem, "global").version
    request = parent.provenance["recorded"]["request"]
    about = {
        "backbone": tuning.backbone["name"],
        "image_size": tuning.backbone["image_size"],
        "dataset": parent.dataset,
        "dataset_given": request["dataset"],
        "class_table": request["class_table"],
        "trunk_trained": bool(tuning.settings.train_from),
        "images": [parent.benchmark.image_ids[row] for row in np.flatnonzero(seen.images)],
        "classes": list(seen.classes),
    }
    model = model_of(tuning.backbone, pretrained=True)
    model.load_state_dict(tuning.tail.model.model.state_dict(), strict=False)
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    with atomic_write(folder / WEIGHTS) as stream:
        stream.write(save(tensors, metadata={KEY: json.dumps(about)}))
    return FineTuned(folder / WEIGHTS, about)


class Versions:
    """Several networks as one backbone: the first with its own taps, the others with theirs as versions of these."""

    def __init__(self, nets: Sequence[Backbone]) -> None:
        self.nets = list(nets)
        self.transform: Transform = nets[0].transform
        self.device: torch.device = nets[0].device
        self.taps: dict[str, tuple[int, ...]] = {}
        self.grids: dict[str, Grid | None] = {}
        for number, net in enumerate(nets):
            self.taps |= {version_name(tap, number): shape for tap, shape in net.taps.items()}
            self.grids |= {version_name(tap, number): grid for tap, grid in net.grids.items()}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return {
            version_name(tap, number): values
            for number, net in enumerate(self.nets)
            for tap, values in net(images).items()
        }

    def describe(self) -> dict[str, Any]:
        return {**self.nets[0].describe(), "taps": {tap: list(shape) for tap, shape in self.taps.items()}}


def version_name(tap: str, number: int) -> str:
    return f"{tap}_fold{number}" if number else tap
