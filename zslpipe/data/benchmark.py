"""A zero-shot benchmark: images, classes, class semantics and the split."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.arrays import read_npz
from zslpipe.data.check import check_benchmark
from zslpipe.errors import InputError
from zslpipe.files import write_arrays
from zslpipe.json_types import missing_or_mismatched

TEXTS = ("class_names", "attribute_names", "image_ids")
INDICES = ("labels", "trainval", "test_seen", "test_unseen")
ABOUT: dict[str, Any] = {  # what is saved as JSON
    "name": str,
    "class_splits": list[list[list[int]]],
    "image_root": str | None,
    "sources": dict[str, str],
}
NO_CLASS = -1  # the label of an image that is listed but belongs to no class


@dataclass(frozen=True)
class ClassSplit:
    """One validation fold over the seen classes: class indices to train on and to hold out as unseen."""

    train: tuple[int, ...]
    val: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Images, classes, semantics and the Proposed Split, validated on construction.

    Args:
        name: name of the dataset.
        class_names: (C,) unique names.
        semantics: (C, A) float32, one row per class.
        attribute_names: (A,) names of the semantics' columns.
        image_ids: (N,) unique ids: paths relative to `image_root`, with forward slashes.
        labels: (N,) int64 class indices, `NO_CLASS` for images without a class.
        trainval, test_seen, test_unseen: image indices, pairwise disjoint.
        class_splits: official validation folds over the seen classes; may be empty.
        attribute_vectors: optional (A, W) float32 word vectors of the attributes.
        image_root: folder of the images, None if only features are available.
        sources: files it was read from: file name to sha256.
        notes: sentences about what the reader skipped.

    Raises:
        InputError: if any of these are inconsistent.
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
        check_benchmark(self)

    @property
    def seen_classes(self) -> np.ndarray:
        """(S,) sorted indices of the classes with training images."""
        return np.unique(self.labels[self.trainval])

    @property
    def unseen_classes(self) -> np.ndarray:
        """(U,) sorted indices of the classes without training images; those without any image are among them."""
        return np.setdiff1d(np.arange(len(self.class_names)), self.seen_classes)

    def same_classes(self, other: "Benchmark") -> bool:
        """Whether classes, semantics, labels and split are equal; images may be elsewhere."""
        texts = ("class_names", "attribute_names", "class_splits")
        arrays = ("semantics", "labels", "trainval", "test_seen", "test_unseen", "attribute_vectors")
        return all(getattr(self, k) == getattr(other, k) for k in texts) and all(
            np.array_equal(getattr(self, k), getattr(other, k)) for k in arrays
        )

    def with_semantics(self, semantics: np.ndarray, attribute_names: tuple[str, ...], source: str) -> "Benchmark":
        """The same benchmark with other class semantics (C, A'); attribute word vectors are dropped."""
        return replace(
            self,
            semantics=np.asarray(semantics, np.float32),
            attribute_names=attribute_names,
            attribute_vectors=None,
            sources={**self.sources, "semantics": source},
        )

    def keep(self, usable: np.ndarray) -> "Benchmark":
        """The same benchmark with its splits restricted to the images in the boolean mask `usable` (N,).

        Raises:
            InputError: if a seen class loses all its training images.
        """
        parts = {part: getattr(self, part) for part in ("trainval", "test_seen", "test_unseen")}
        kept = replace(self, **{part: index[usable[index]] for part, index in parts.items()})
        lost = sorted(set(self.seen_classes) - set(kept.seen_classes))
        if lost:
            name = self.class_names[lost[0]]
            raise InputError(f"{self.name}: class '{name}' has no usable training images left; repair the store.")
        return kept

    def fold(self, split: ClassSplit, holdout: float = 0.2, seed: int = 0) -> "Benchmark":
        """A smaller benchmark inside `trainval`, for selection; it contains no test image.

        Its classes are those of `split`, with `split.val` as the unseen ones. A share `holdout` of the images of
        each class in `split.train` (at least one, never all) becomes test_seen, the rest trainval.
        Image indices do not change, so that features are read by the same rows.
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
        """Write the benchmark atomically to one .npz of plain arrays, which `load` reads."""
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
        """Read a file written by `save`.

        Raises:
            InputError: if the file is missing or was not written by `save`.
        """
        try:
            arrays = read_npz(path)
            about = json.loads(str(arrays.pop("about")))
            wrong = missing_or_mismatched(about, ABOUT, {"notes": list[str]}) or _wrong_array(arrays)
            if wrong:
                raise ValueError(wrong)
        except (OSError, ValueError, KeyError, RecursionError) as problem:
            raise InputError(f"{path} is not a saved benchmark ({problem}); extract or import again.") from problem
        texts: dict[str, Any] = {k: tuple(arrays.pop(k).tolist()) for k in TEXTS}
        return cls(
            name=about["name"],
            class_splits=tuple(ClassSplit(tuple(s[0]), tuple(s[-1])) for s in about["class_splits"] if s),
            image_root=None if about["image_root"] is None else Path(about["image_root"]),
            sources=about["sources"],
            notes=tuple(about.get("notes", ())),
            **texts,
            **arrays,  # type: ignore[arg-type]
        )


def _wrong_array(arrays: Mapping[str, np.ndarray]) -> str | None:
    """What is wrong with the arrays of a saved benchmark, as a phrase; None if nothing is."""
    kinds = dict.fromkeys(TEXTS, ("U", 1)) | dict.fromkeys(INDICES, ("i", 1)) | {"semantics": ("f", 2)}
    if lacking := sorted(set(kinds) - set(arrays)):
        return f"it has no {lacking[0]}"
    for name, array in arrays.items():
        if name not in kinds and name != "attribute_vectors":
            return f"it has an unknown array '{name[:40]}'"
        if (array.dtype.kind, array.ndim) != kinds.get(name, ("f", 2)):
            return f"{name} has dtype {array.dtype} and {array.ndim} axes"
    return None


def split_images(labels: np.ndarray, classes: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the images of each class at random into a rest and a `share` (at least one image, never all).

    The only image of a class stays in the rest. Returns two sorted index arrays: rest, share.
    """
    rng = np.random.default_rng(seed)
    rest, taken = [], []
    for c in classes:
        images = rng.permutation(np.flatnonzero(labels == c))
        count = min(max(1, round(share * len(images))), len(images) - 1)
        taken.append(images[:count])
        rest.append(images[count:])
    return np.sort(np.concatenate(rest)), np.sort(np.concatenate(taken))
