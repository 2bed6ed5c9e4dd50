"""A planted leak: features made with the labels of the validation classes validate far above what they test.

The head interpolates its training images, so their embeddings are the semantics of their classes, on which any
selection is perfect. Test images have no such embeddings. Selection must refuse these features, and with the versions
of its folds it must validate what is tested.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import LeakError
from zslpipe.evaluation.protocol import evaluate
from zslpipe.heads import HEADS
from zslpipe.parts.head import Head, Scorer
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.selection.rules import UnseenClassValidation
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import Features
from zslpipe.workflows.derive import derive_store
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

CLASSES, UNSEEN, EACH, ATTRIBUTES, WIDTH, NOISE = 60, 15, 20, 12, 2500, 8.0


@dataclass
class Interpolating(Head):
    """Least squares from more features than images onto the semantics; classes by the smallest angle."""

    name = "interpolating"

    def learn(self, data: TrainingData) -> None:
        x = np.asarray(data.features["global"][:], np.float64)
        self.weights_ = x.T @ np.linalg.solve(x @ x.T + np.eye(len(x)), data.semantics[data.labels])

    def embed(self, features: Features) -> np.ndarray:
        return (np.asarray(features["global"][:], np.float64) @ self.weights_).astype(np.float32)

    def scorer(self, classes: Classes) -> Scorer:
        return lambda features: unit(self.embed(features)) @ unit(classes.semantics).T

    def state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.weights_ = state["weights"]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    HEADS._things["interpolating"] = Interpolating
    yield
    del HEADS._things["interpolating"]


def noisy_benchmark(seed: int) -> tuple[Benchmark, np.ndarray]:
    """45 seen and 15 unseen classes of 20 images, and features (1200, 2500): the semantics with much noise."""
    rng = np.random.default_rng(seed)
    semantics = rng.normal(size=(CLASSES, ATTRIBUTES)).astype(np.float32)
    labels = np.repeat(np.arange(CLASSES), EACH)
    signal = semantics[labels] @ rng.normal(size=(ATTRIBUTES, WIDTH)) / np.sqrt(ATTRIBUTES)
    images, seen = np.arange(len(labels)).reshape(CLASSES, EACH), CLASSES - UNSEEN
    benchmark = Benchmark(
        name="noisy",
        class_names=tuple(f"class {c}" for c in range(CLASSES)),
        semantics=semantics,
        attribute_names=tuple(f"attribute {a}" for a in range(ATTRIBUTES)),
        image_ids=tuple(f"{i}.jpg" for i in range(len(labels))),
        labels=labels,
        trainval=images[:seen, :16].ravel(),
        test_seen=images[:seen, 16:].ravel(),
        test_unseen=images[seen:].ravel(),
    )
    return benchmark, (signal + NOISE * rng.normal(size=signal.shape)).astype(np.float32)


def derived_store(folder: Path, seed: int, folds: bool = True) -> FeatureStore:
    """What the interpolating head makes of a noisy benchmark."""
    workspace = Workspace.at(folder, folder / "cache")
    benchmark, features = noisy_benchmark(seed)
    provenance = {"fingerprinted": {"backbone": "noise", "seed": seed}, "recorded": {}}
    taps = {"global": TapSpec((WIDTH,), "float32")}
    parent = FeatureStore.create(workspace.stores / "parent", benchmark, taps, provenance, len(features))
    parent.write_piece(0, {"global": features})
    run, _ = train_head(workspace, "interpolating", parent)
    return derive_store(workspace, run.name, folds=folds).store


def validated_and_tested(features: Features, benchmark: Benchmark) -> tuple[float, float]:
    """H in the folds of selection, and H on the test sets with the settings and δ that it chose."""
    choice, head = UnseenClassValidation().select(HEADS["eszsl"](), features, benchmark)
    tested = evaluate(head, features, benchmark, choice.delta).H
    assert tested is not None
    return choice.metrics["H"], tested


def test_the_final_features_validate_what_they_do_not_test_and_are_refused(tmp_path: Path) -> None:
    store = derived_store(tmp_path, 0, folds=False)
    benchmark = store.benchmark
    with pytest.raises(LeakError, match=r"has seen labels of 'class \d+' \(11 of the 11 unseen classes"):
        validated_and_tested(store.features(), benchmark)
    validated, tested = validated_and_tested({"global": store.rows("global")[:]}, benchmark)  # bypasses the guard
    assert validated > 0.98
    assert validated - tested > 0.25


def test_features_made_fold_by_fold_validate_what_they_test(tmp_path: Path) -> None:
    differences = []
    for seed in range(4):
        store = derived_store(tmp_path / str(seed), seed)
        validated, tested = validated_and_tested(store.features(), store.benchmark)
        assert 0.4 < tested < 0.9
        differences.append(validated - tested)
    assert abs(np.mean(differences)) < 0.06, differences
    assert np.abs(differences).max() < 0.12, differences
