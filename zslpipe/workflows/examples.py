"""`--examples`: photos of unseen classes for a trained head."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.examples import Examples, read_examples
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import classes_of, seen_mask
from zslpipe.files import read_json, sha256_file, write_json
from zslpipe.parts.head import Head
from zslpipe.parts.photos import PREFERRED, Mixing, Photos, WithPhotos
from zslpipe.parts.problem import Classes
from zslpipe.selection import SelectionResult
from zslpipe.selection.any_shot import Known, choose_mixing, fit_with, learn_photos
from zslpipe.serving.new_images import ImageFeatures
from zslpipe.serving.predictor import Predictor
from zslpipe.store.derived import admissible
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.runs import Run

MIXING = {False: "mixing.json", True: "mixing-refit.json"}  # beside the head of a seed
NOTHING = "there is nothing to refit with: give photos with --examples."


class Given(NamedTuple):
    """Photos of unseen classes that a head is given, whether it is fitted with them, and the store that it reads."""

    examples: Examples
    refit: bool
    store: FeatureStore

    @classmethod
    def of(cls, folder: Path | None, benchmark: Benchmark, refit: bool, store: FeatureStore) -> "Given | None":
        """The photos in a folder; None without one.

        Raises:
            InputError: as for `read_examples`, or if there is nothing to refit with.
        """
        if folder is None:
            if refit:
                raise InputError(NOTHING)
            return None
        return cls(read_examples(folder, benchmark.class_names, seen_mask(benchmark)), refit, store)

    def request(self) -> dict[str, Any]:
        shown = zip(self.examples.files, self.examples.labels.tolist())
        return {"photos": sorted([sha256_file(file), c] for file, c in shown), "refit": self.refit}

    def note(self, removed: int) -> str:
        count, classes = len(self.examples.files), len(set(self.examples.labels.tolist()))
        left = f"; test images among them ({removed}) are no longer tested on" if removed else ""
        return f"{count} photos of {classes} unseen classes are taken into account{left}."

    def to(self, head: Head, choice: SelectionResult, benchmark: Benchmark, kept: Path) -> WithPhotos:
        """`with_photos`."""
        photos, classes = photos_of(self.examples, head, self.store), classes_of(benchmark)
        return with_photos(head, choice, self.store, benchmark, photos, classes=classes, refit=self.refit, kept=kept)


def photos_of(examples: Examples, head: Head, store: FeatureStore, device: str = "auto") -> Photos:
    """The features of the examples, made by the store's backbone.

    Raises:
        InputError: if a photo cannot be read, or the store's features were not extracted from images.
    """
    taps = (*head.fitted_problem.stored, *(tap for tap in PREFERRED if tap in store.taps))
    maker = ImageFeatures(store.provenance, tuple(dict.fromkeys(taps)), device, str(store.path))
    parts: list[dict[str, np.ndarray]] = []

    def consume(rows: range, features: dict[str, np.ndarray], failures: dict[int, Failure]) -> None:
        for row, failure in failures.items():
            raise InputError(f"{examples.files[row]} cannot be used as an example: {failure.error}")
        parts.append(features)

    maker.each(list(examples.files), consume)
    return Photos({tap: np.concatenate([part[tap] for part in parts]) for tap in parts[0]}, examples.labels)


def with_photos(
    head: Head,
    choice: SelectionResult,
    store: FeatureStore,
    benchmark: Benchmark,
    photos: Photos,
    *,
    classes: Classes,
    refit: bool = False,
    kept: Path | None = None,
) -> WithPhotos:
    """A head that takes photos into account; how far, validation classes tell.

    Args:
        head: fitted on the benchmark.
        choice: of its settings and δ.
        store: of the benchmark.
        benchmark: what it was trained on.
        photos: their labels are rows of `classes`.
        classes: that the photos compete with; those of the benchmark first.
        refit: fit the head again, with the photos; otherwise its scores are moved.
        kept: folder where the weights are kept once they are chosen, since this takes a training in each fold.
    """
    features = store.features()
    fixed = head.with_params(**{k: v for k, v in choice.params.items() if k in head.get_params()})
    file = None if kept is None else kept / MIXING[refit]
    if file is not None and file.is_file():
        mixing = read_mixing(file)
    else:
        mixing = choose_mixing(fixed, features, benchmark, seed=choice.seed, refit=refit)
        if file is not None:
            with suppress(OSError):  # a run that cannot be written to is used all the same
                write_json(file, mixing.to_json())
    if refit:
        more = replace(
            benchmark,
            class_names=(
                *benchmark.class_names,
                *(f"new {c}" for c in range(len(benchmark.class_names), len(classes))),
            ),
            semantics=classes.semantics,
        )
        head = fit_with(fixed, features, more, photos)
    known = Known.of(head, admissible(features, benchmark), benchmark, classes, choice.delta or 0.0)
    return learn_photos(known, photos, mixing)


def shown(
    predictor: Predictor, run: Run, store: FeatureStore, seed: int, folder: Path, *, refit: bool, device: str
) -> Predictor:
    """A predictor that takes the photos in a folder into account; its classes may include new ones.

    Raises:
        InputError: as for `read_examples`, `photos_of` and `choose_mixing`.
    """
    classes = Classes(predictor.classes.semantics, predictor.classes.seen)
    examples = read_examples(folder, predictor.classes.names, classes.seen)
    head = run.head(seed)
    photos = photos_of(examples, head, store, device)
    kept = run.path / f"seed-{seed}"
    given = with_photos(head, run.choice(seed), store, run.benchmark, photos, classes=classes, refit=refit, kept=kept)
    images = ImageFeatures(store.provenance, tuple(given.fitted_problem.stored), device, str(store.path))
    return replace(predictor, head=given, images=images)


def read_mixing(file: Path) -> Mixing:
    """The weights in a file that `with_photos` has written.

    Raises:
        InputError: if it is damaged.
    """
    try:
        return Mixing.from_json(read_json(file))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise InputError(f"{file} is not what was written ({problem}): remove it, and it is made again.") from problem
