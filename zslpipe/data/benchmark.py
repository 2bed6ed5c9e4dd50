"""A zero-shot benchmark: which images, which classes, what describes the classes, and who may see what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from zslpipe.errors import InputError
from zslpipe.files import write_arrays

NO_CLASS = -1  # the label of an image that stands in the list but belongs to none of the classes


@dataclass(frozen=True)
class ClassSplit:
    """Seen classes divided into those a fold trains on and those it takes for unseen (class indices)."""

    train: tuple[int, ...]
    val: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Images, classes, semantics and the Proposed Split; checked when it is made.

    Args:
        name: what the data set is called.
        class_names: (C,) unique names.
        semantics: (C, A) float32, a row describes a class.
        attribute_names: (A,) names of the semantics' columns.
        image_ids: (N,) unique ids: paths relative to `image_root`, with forward slashes.
        labels: (N,) int64 class indices, `NO_CLASS` for images that belong to none.
        trainval, test_seen, test_unseen: image indices, pairwise disjoint.
        class_splits: official validation folds over the seen classes, empty where there are none.
        attribute_vectors: (A, W) float32 word vectors of the attributes, where there are any.
        image_root: where the images lie, None where only features are at hand.
        sources: what it was read from: file name to sha256.
        notes: sentences on what the reader left out or did not use.

    Raises:
        InputError: where any of this does not hold together.
    """

    name: str
    class_names: tuple[str, ...]
    semantics: np.ndarray
    attribute_names: tuple[str, ...]
    image_ids: tuple[str, ...]
    labels: np.ndarray
    trainval: np.ndarray
    test_seen: np.ndarray
    test_unseen: np.ndarray
    class_splits: tuple[ClassSplit, ...] = ()
    attribute_vectors: np.ndarray | None = None
    image_root: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from zslpipe.data.check import check_benchmark  # here, since the check is about this very class

        check_benchmark(self)

    @property
    def seen_classes(self) -> np.ndarray:
        """(S,) sorted indices of the classes with training images."""
        return np.unique(self.labels[self.trainval])

    @property
    def unseen_classes(self) -> np.ndarray:
        """(U,) sorted indices of the classes of test_unseen."""
        return np.unique(self.labels[self.test_unseen])

    def with_semantics(self, semantics: np.ndarray, attribute_names: tuple[str, ...], source: str) -> "Benchmark":
        """The same benchmark, described by other class semantics (C, A'); word vectors no longer fit and go."""
        return replace(
            self,
            semantics=np.asarray(semantics, np.float32),
            attribute_names=attribute_names,
            attribute_vectors=None,
            sources={**self.sources, "semantics": source},
        )

    def keep(self, usable: np.ndarray) -> "Benchmark":
        """The same benchmark with its splits restricted to the images that the mask `usable` (N,) allows."""
        parts = {part: getattr(self, part) for part in ("trainval", "test_seen", "test_unseen")}
        kept = replace(self, **{part: index[usable[index]] for part, index in parts.items()})
        lost = sorted(set(self.seen_classes) - set(kept.seen_classes))
        if lost:
            raise InputError(
                f"{self.name}: class '{self.class_names[lost[0]]}' has no usable training image left; repair the store."
            )
        return kept

    def fold(self, split: ClassSplit, holdout: float = 0.2, seed: int = 0) -> "Benchmark":
        """A smaller benchmark inside `trainval`, for selection: no image of a test set is in it.

        The classes are those of `split` alone; `split.val` plays unseen. Of each class of `split.train` a share
        `holdout` of the images (at least one, never all) plays test_seen, the rest is the fold's trainval.
        Image indices stay those of the whole, so that features are read by the same rows.
        """
        classes = np.array(sorted((*split.train, *split.val)))
        renumber = np.full(len(self.class_names), NO_CLASS, np.int64)
        renumber[classes] = np.arange(len(classes))
        labels = np.full(len(self.labels), NO_CLASS, np.int64)
        labels[self.trainval] = renumber[self.labels[self.trainval]]
        is_train = np.isin(classes, split.train)
        fit, held = split_images(labels, np.flatnonzero(is_train), holdout, seed)
        return replace(
            self,
            class_names=tuple(self.class_names[c] for c in classes),
            semantics=self.semantics[classes],
            labels=labels,
            trainval=fit,
            test_seen=held,
            test_unseen=np.flatnonzero(np.isin(labels, np.flatnonzero(~is_train))),
            class_splits=(),
        )

    def save(self, path: Path) -> None:
        """Write it to one .npz of plain arrays, whole or not at all; `load` gives it back."""
        about = {
            "name": self.name,
            "class_splits": [[list(s.train), list(s.val)] for s in self.class_splits],
            "image_root": None if self.image_root is None else str(self.image_root.absolute()),
            "sources": dict(self.sources),
            "notes": list(self.notes),
        }
        arrays = {k: getattr(self, k) for k in ("semantics", "labels", "trainval", "test_seen", "test_unseen")}
        if self.attribute_vectors is not None:
            arrays["attribute_vectors"] = self.attribute_vectors
        for k in ("class_names", "attribute_names", "image_ids"):
            arrays[k] = np.array(getattr(self, k), dtype=np.str_)
        write_arrays(path, about=np.array(json.dumps(about, sort_keys=True)), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Benchmark":
        """Read what `save` wrote.

        Raises:
            InputError: where the file is missing or is not one of ours.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            about = json.loads(str(arrays.pop("about")))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as problem:
            raise InputError(f"{path} is not a saved benchmark ({problem}): extract or import again.") from problem
        for k in ("class_names", "attribute_names", "image_ids"):
            arrays[k] = tuple(arrays[k].tolist())
        return cls(
            name=about["name"],
            class_splits=tuple(ClassSplit(tuple(t), tuple(v)) for t, v in about["class_splits"]),
            image_root=None if about["image_root"] is None else Path(about["image_root"]),
            sources=about["sources"],
            notes=tuple(about.get("notes", ())),
            **arrays,
        )


def split_images(labels: np.ndarray, classes: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide the images of each class into the larger rest and a `share` (at least one image, never all).

    A class with a single image keeps it in the rest. Returns two sorted index arrays.
    """
    rng = np.random.default_rng(seed)
    rest, taken = [], []
    for c in classes:
        images = rng.permutation(np.flatnonzero(labels == c))
        count = min(max(1, round(share * len(images))), len(images) - 1)
        taken.append(images[:count])
        rest.append(images[count:])
    return np.sort(np.concatenate(rest)), np.sort(np.concatenate(taken))
