"""Fixtures that every room's tests may use."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from zslpipe.data.benchmark import Benchmark
from zslpipe.parts.head import Head, Scorer
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.store.rows import Features

# Machines are shared: no test fails for being slow once.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Where the real datasets lie; tests that ask for it carry the marker `real`."""
    root = Path(os.environ.get("ZSLPIPE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not (root / "xlsa17").is_dir():
        pytest.skip(f"no real datasets under {root}: set ZSLPIPE_DATA")
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


@pytest.fixture
def sun_root(tmp_path: Path) -> Path:
    """A data root with a miniature SUN in the xlsa17 layout: 10 classes (7 seen) of 6 images, 5 attributes."""
    from PIL import Image
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    classes, each, seen = 10, 6, 7
    folder, images = tmp_path / "data" / "xlsa17" / "data" / "SUN", tmp_path / "data" / "images" / "SUN"
    folder.mkdir(parents=True)
    attributes = rng.uniform(size=(5, classes))
    names = [f"scene_{c}" for c in range(classes)]
    files = [f"{name}/sun_{i}.jpg" for name in names for i in range(each)]
    for n, file in enumerate(files):
        colour = (255 * attributes[:3, n // each]).astype(np.uint8)
        pixels = np.clip(rng.normal(colour, 30, size=(72, 80, 3)), 0, 255).astype(np.uint8)
        (images / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(images / file)
    rows = 1 + np.arange(classes * each).reshape(classes, each)
    cells = np.array([[name] for name in names], dtype=object)
    paths = np.array([[f"/home/somebody/SUN/images/{file}"] for file in files], dtype=object)
    labels = np.repeat(1 + np.arange(classes), each)[:, None].astype(np.uint8)
    splits = {"trainval_loc": rows[:seen, 1:], "test_seen_loc": rows[:seen, :1], "test_unseen_loc": rows[seen:]}
    savemat(
        folder / "att_splits.mat",
        {"att": attributes, "allclasses_names": cells, **{k: v.reshape(-1, 1) for k, v in splits.items()}},
    )
    savemat(folder / "res101.mat", {"features": np.zeros((4, len(files))), "labels": labels, "image_files": paths})
    return tmp_path / "data"


@dataclass
class Ridge(Head):
    """Ridge regression onto the semantics; `epochs` shrinks it, so that there is something to choose."""

    name = "ridge"
    alpha: float = 1.0
    epochs: int = 2

    @classmethod
    def search_space(cls) -> Sequence[Mapping[str, Any]]:
        return [{"alpha": a} for a in (1.0, 100.0, 1e5)]

    def learn(self, data: TrainingData) -> None:
        x = np.asarray(data.features["global"][:], np.float64)
        gram = x.T @ x + self.alpha * np.eye(x.shape[1])
        self.weights_ = np.linalg.solve(gram, x.T @ data.semantics[data.labels]) * (1 - 0.5**self.epochs)

    def learn_candidates(
        self, data: TrainingData, candidates: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], Head]]:
        lengths = [{**c, "epochs": e} for c in candidates for e in range(1, self.epochs + 1)]
        return super().learn_candidates(data, lengths)

    def predict_semantics(self, features: Features) -> np.ndarray:
        return (np.asarray(features["global"][:], np.float64) @ self.weights_).astype(np.float32)

    def scorer(self, classes: Classes) -> Scorer:
        return lambda features: (self.predict_semantics(features) @ classes.semantics.T).astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.weights_ = state["weights"]


@pytest.fixture
def ridge() -> Head:
    return Ridge()
