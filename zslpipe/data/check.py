"""Consistency checks of a benchmark."""

from typing import TYPE_CHECKING

import numpy as np

from zslpipe.errors import InputError

if TYPE_CHECKING:
    from zslpipe.data.benchmark import Benchmark

NO_ATTRIBUTES = "the classes have no attributes: add columns to the class table, or choose other semantics."


def check_benchmark(b: "Benchmark") -> None:
    """Raise `InputError` for the first inconsistency found."""
    _check_semantics(b)
    _check_images(b)
    _check_splits(b)


def _fail(b: "Benchmark", text: str) -> InputError:
    return InputError(f"{b.name}: {text}")


def _check_semantics(b: "Benchmark") -> None:
    classes = len(b.class_names)
    if len(set(b.class_names)) != classes:
        repeated = sorted({n for n in b.class_names if b.class_names.count(n) > 1})
        raise _fail(b, f"class '{repeated[0]}' is listed twice; keep one row per class.")
    if b.semantics.ndim != 2 or len(b.semantics) != classes:
        raise _fail(b, f"the attribute matrix has shape {b.semantics.shape}, but there are {classes} classes.")
    if b.semantics.shape[1] != len(b.attribute_names):
        raise _fail(
            b, f"there are {len(b.attribute_names)} attribute names for {b.semantics.shape[1]} columns of semantics."
        )
    bad = ~np.isfinite(b.semantics)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        at = f"class '{b.class_names[row]}', attribute '{b.attribute_names[column]}'"
        raise _fail(b, f"the attribute matrix has NaN or infinity at {at}; replace it.")
    if b.attribute_vectors is not None:
        if len(b.attribute_vectors) != len(b.attribute_names):
            raise _fail(
                b, f"there are {len(b.attribute_vectors)} word vectors for {len(b.attribute_names)} attributes."
            )
        if not np.isfinite(b.attribute_vectors).all():
            raise _fail(b, "the word vectors of the attributes contain NaN or infinity.")


def _check_images(b: "Benchmark") -> None:
    if len(b.image_ids) != len(b.labels):
        raise _fail(b, f"there are {len(b.image_ids)} images but {len(b.labels)} labels.")
    if len(set(b.image_ids)) != len(b.image_ids):
        seen: set[str] = set()
        repeated = next(i for i in b.image_ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise _fail(b, f"image '{repeated}' is listed twice.")
    if b.image_root is not None:
        for image in b.image_ids:
            if image.startswith("/") or ".." in image.split("/"):
                raise _fail(b, f"image '{image[:80]}' is outside of the image folder.")
    if len(b.labels) and not (b.labels.min() >= -1 and b.labels.max() < len(b.class_names)):
        raise _fail(
            b, f"labels range from {b.labels.min()} to {b.labels.max()}, but there are {len(b.class_names)} classes."
        )


def _check_splits(b: "Benchmark") -> None:
    parts = {"trainval": b.trainval, "test_seen": b.test_seen, "test_unseen": b.test_unseen}
    images = len(b.labels)
    for part, index in parts.items():
        if len(index) and not (index.min() >= 0 and index.max() < images):
            wrong = index.min() if index.min() < 0 else index.max()
            raise _fail(b, f"{part} contains row {wrong}, but there are {images} images (rows 0 to {images - 1}).")
        if len(np.unique(index)) != len(index):
            raise _fail(b, f"{part} lists an image twice.")
        if (b.labels[index] < 0).any():
            raise _fail(b, f"{part} contains image '{b.image_ids[index[b.labels[index] < 0][0]]}', which has no class.")
    if not len(b.trainval):
        raise _fail(b, "there are no training images.")
    for one, other in (("trainval", "test_seen"), ("trainval", "test_unseen"), ("test_seen", "test_unseen")):
        both = np.intersect1d(parts[one], parts[other])
        if len(both):
            raise _fail(b, f"image '{b.image_ids[both[0]]}' is in both {one} and {other}.")
    overlap = np.intersect1d(b.seen_classes, b.labels[b.test_unseen])
    if len(overlap):
        raise _fail(b, f"class '{b.class_names[overlap[0]]}' is both seen and unseen.")
    untrained = np.setdiff1d(b.labels[b.test_seen], b.seen_classes)
    if len(untrained):
        raise _fail(b, f"class '{b.class_names[untrained[0]]}' is in test_seen but has no training images.")
    for split in b.class_splits:
        if not split.train or not split.val or set(split.train) & set(split.val):
            raise _fail(b, "a validation fold needs disjoint, non-empty sets of training and validation classes.")
        if not set(split.train) | set(split.val) <= set(b.seen_classes.tolist()):
            raise _fail(b, "a validation fold contains a class that is not seen.")
