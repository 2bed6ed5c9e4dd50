"""What is known of a dataset's classes, whether or not its images are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.data.class_table import IMAGE_PARTS


@dataclass(frozen=True, eq=False)
class KnownClasses:
    """The classes of a dataset.

    Args:
        name: of the dataset.
        class_names: (C,).
        unseen: (C,) bool.
        semantics: (C, A) float32.
        attribute_names: (A,).
        attribute_vectors: (A, W) or None.
        class_splits: validation folds.
        parts: by class and file name, the part of the split that an image is in; empty if the images are not known.
    """

    name: str
    class_names: tuple[str, ...]
    unseen: np.ndarray
    semantics: np.ndarray
    attribute_names: tuple[str, ...]
    attribute_vectors: np.ndarray | None
    class_splits: tuple[ClassSplit, ...]
    parts: Mapping[tuple[int, str], str]

    @classmethod
    def of(cls, b: Benchmark) -> "KnownClasses":
        """Those of a benchmark. Class and file name identify an image, wherever the folders are."""
        unseen = np.zeros(len(b.class_names), bool)
        unseen[b.unseen_classes] = True
        parts = {
            (int(b.labels[row]), PurePosixPath(b.image_ids[row]).name): part
            for part in IMAGE_PARTS
            for row in getattr(b, part)
        }
        described = (b.semantics, b.attribute_names, b.attribute_vectors, b.class_splits)
        return cls(b.name, b.class_names, unseen, *described, parts)
