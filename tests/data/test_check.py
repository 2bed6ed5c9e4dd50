"""An inconsistent benchmark raises an error that says what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.errors import InputError

Tiny = tuple[Benchmark, np.ndarray]


def with_entry(array: np.ndarray, place: Any, value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


INVALID: dict[str, tuple[Callable[[Benchmark], dict[str, Any]], str]] = {
    "class twice": (lambda b: {"class_names": ("class 1", *b.class_names[1:])}, "class 'class 1' is listed twice"),
    "fewer semantics": (lambda b: {"semantics": b.semantics[:-1]}, r"shape \(11, 6\), but there are 12 classes"),
    "flat semantics": (lambda b: {"semantics": b.semantics[:, 0]}, r"shape \(12,\), but there are 12"),
    "attribute names": (lambda b: {"attribute_names": b.attribute_names[:-1]}, "5 attribute names for 6 columns"),
    "nan": (
        lambda b: {"semantics": with_entry(b.semantics, (3, 2), np.nan)},
        "NaN or infinity at class 'class 3', attribute 'attribute 2'; replace it",
    ),
    "infinity": (
        lambda b: {"semantics": with_entry(b.semantics, (0, 0), np.inf)},
        "NaN or infinity at class 'class 0'",
    ),
    "word vectors": (lambda b: {"attribute_vectors": np.ones((5, 3), np.float32)}, "5 word vectors for 6 attributes"),
    "nan in word vectors": (
        lambda b: {"attribute_vectors": np.full((6, 3), np.nan, np.float32)},
        "word vectors of the attributes contain NaN or infinity",
    ),
    "labels": (lambda b: {"labels": b.labels[:-1]}, "120 images but 119 labels"),
    "image twice": (lambda b: {"image_ids": (*b.image_ids[:-1], b.image_ids[0])}, "image '0/0.jpg' is listed twice"),
    "label too large": (
        lambda b: {"labels": with_entry(b.labels, 0, 12)},
        "labels range from 0 to 12, but",
    ),
    "label too small": (lambda b: {"labels": with_entry(b.labels, 0, -2)}, "labels range from -2"),
    "row too large": (lambda b: {"test_unseen": with_entry(b.test_unseen, 0, 120)}, r"test_unseen contains row 120"),
    "row too small": (lambda b: {"trainval": with_entry(b.trainval, 0, -1)}, r"trainval contains row -1"),
    "row twice": (lambda b: {"trainval": with_entry(b.trainval, 0, b.trainval[1])}, "trainval lists an image twice"),
    "no class": (
        lambda b: {"labels": with_entry(b.labels, b.test_seen[0], -1)},
        "test_seen contains image '0/8.jpg', which has no class",
    ),
    "no training": (lambda b: {"trainval": b.trainval[:0]}, "there are no training images"),
    "both parts": (
        lambda b: {"test_seen": np.append(b.test_seen, b.trainval[0])},
        "image '0/0.jpg' is in both trainval and test_seen",
    ),
    "seen and unseen": (
        lambda b: {"trainval": np.append(b.trainval, b.test_unseen[0]), "test_unseen": b.test_unseen[1:]},
        "class 'class 9' is both seen and unseen",
    ),
    "seen without training": (
        lambda b: {"test_seen": np.append(b.test_seen, b.test_unseen), "test_unseen": b.test_unseen[:0]},
        "class 'class 9' is in test_seen but has no training images",
    ),
    "overlapping fold": (lambda b: {"class_splits": (ClassSplit((0, 1), (1, 2)),)}, "a validation fold needs disjoint"),
    "empty fold": (
        lambda b: {"class_splits": (ClassSplit((0, 1), ()),)},
        "non-empty sets of training and",
    ),
    "unseen in a fold": (lambda b: {"class_splits": (ClassSplit((0, 1), (9,)),)}, "contains a class that is not seen"),
}


@pytest.mark.parametrize("case", INVALID)
def test_every_inconsistency_is_reported(tiny: Tiny, case: str) -> None:
    benchmark, _ = tiny
    change, message = INVALID[case]
    with pytest.raises(InputError, match=f"^tiny: .*{message}"):
        replace(benchmark, **change(benchmark))


def test_a_valid_benchmark_passes(tiny: Tiny) -> None:
    benchmark, _ = tiny
    replace(benchmark, class_splits=(ClassSplit((0, 1), (2, 3)),), attribute_vectors=np.ones((6, 3), np.float32))
    replace(
        benchmark,
        labels=with_entry(benchmark.labels, benchmark.test_unseen[-1], -1),
        test_unseen=benchmark.test_unseen[:-1],
    )


@pytest.mark.parametrize("image", ["../secret.jpg", "a/../../secret.jpg", "/home/someone/secret.jpg"])
def test_images_lie_below_their_folder(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path, image: str) -> None:
    benchmark, _ = tiny
    with pytest.raises(InputError, match="is outside of the image folder"):
        replace(benchmark, image_root=tmp_path, image_ids=(image, *benchmark.image_ids[1:]))
