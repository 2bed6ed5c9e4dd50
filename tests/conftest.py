"""Fixtures that every room's tests may use."""

import os
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Where the real data sets lie; tests that ask for it carry the marker `real`."""
    root = Path(os.environ.get("ZSLPIPE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not (root / "xlsa17").is_dir():
        pytest.skip(f"no real data sets under {root}: set ZSLPIPE_DATA")
    return root.resolve()


@pytest.fixture
def tiny() -> tuple[Benchmark, np.ndarray]:
    """A benchmark of 12 classes (9 seen), 10 images each, and global features (120, 16) that follow its semantics."""
    rng = np.random.default_rng(0)
    classes, each, attributes, width = 12, 10, 6, 16
    semantics = rng.normal(size=(classes, attributes)).astype(np.float32)
    labels = np.repeat(np.arange(classes), each)
    features = semantics[labels] @ rng.normal(size=(attributes, width)) + 0.5 * rng.normal(size=(len(labels), width))
    order = np.arange(len(labels)).reshape(classes, each)
    benchmark = Benchmark(
        name="tiny",
        class_names=tuple(f"class {c}" for c in range(classes)),
        semantics=semantics,
        attribute_names=tuple(f"attribute {a}" for a in range(attributes)),
        image_ids=tuple(f"{c}/{i}.jpg" for c in range(classes) for i in range(each)),
        labels=labels,
        trainval=order[:9, :8].ravel(),
        test_seen=order[:9, 8:].ravel(),
        test_unseen=order[9:].ravel(),
    )
    return benchmark, features.astype(np.float32)
