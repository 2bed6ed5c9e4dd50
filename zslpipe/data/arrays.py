"""Makes a benchmark from arrays."""

from collections.abc import Sequence

import numpy as np

from zslpipe.data.benchmark import NO_CLASS, Benchmark, split_images
from zslpipe.errors import InputError
from zslpipe.registry import unknown


def make_benchmark(
    labels: np.ndarray,
    semantics: np.ndarray,
    unseen: Sequence[int | str],
    *,
    class_names: Sequence[str] | None = None,
    attribute_names: Sequence[str] | None = None,
    attribute_vectors: np.ndarray | None = None,
    image_ids: Sequence[str] | None = None,
    test_share: float = 0.2,
    seed: int = 0,
    name: str = "arrays",
) -> Benchmark:
    """A benchmark for features that are arrays with one row per image.

    All images of unseen classes become test_unseen. A share of the images of each seen class becomes test_seen, the
    rest trainval.

    Args:
        labels: (N,) rows of `semantics`; -1 for images without a class.
        semantics: (C, A), one row per class.
        unseen: the unseen classes, by name or by row.
        class_names: (C,); "class 0", "class 1", ... if None.
        attribute_names: (A,); "attribute 0", ... if None.
        attribute_vectors: (A, W) word vectors of the attributes.
        image_ids: (N,) unique; row numbers if None.
        test_share: share of the images of each seen class in test_seen; at least one image, never all.
        seed: seed of the split.
        name: name of the dataset.

    Raises:
        InputError: if the arguments are inconsistent.
    """
    labels, semantics = np.asarray(labels), np.asarray(semantics, np.float32)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be integers of shape (N,), not {labels.dtype} of shape {labels.shape}.")
    if semantics.ndim != 2:
        raise InputError(f"semantics must have the shape (classes, attributes), not {semantics.shape}.")
    if not 0 < test_share < 1:
        raise InputError(f"test_share must be between 0 and 1, not {test_share}.")
    names = tuple(class_names or (f"class {c}" for c in range(len(semantics))))
    rows = [_row(c, names) for c in unseen]
    labels = labels.astype(np.int64)
    seen = np.setdiff1d(labels[labels != NO_CLASS], rows)
    if not len(seen):
        raise InputError("no seen class has images: there is nothing to train on.")
    trainval, test_seen = split_images(labels, seen, test_share, seed)
    return Benchmark(
        name=name,
        class_names=names,
        semantics=semantics,
        attribute_names=tuple(attribute_names or (f"attribute {a}" for a in range(semantics.shape[1]))),
        image_ids=tuple(image_ids or (str(i) for i in range(len(labels)))),
        labels=labels,
        trainval=trainval,
        test_seen=test_seen,
        test_unseen=np.flatnonzero(np.isin(labels, rows)),
        attribute_vectors=None if attribute_vectors is None else np.asarray(attribute_vectors, np.float32),
    )


def _row(name: int | str, names: tuple[str, ...]) -> int:
    if isinstance(name, str):
        if name not in names:
            raise unknown("class", name, names)
        return names.index(name)
    if not 0 <= name < len(names):
        raise InputError(f"unseen class {name} does not index the {len(names)} rows of semantics.")
    return int(name)
