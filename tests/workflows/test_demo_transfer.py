"""The demo set is a real test of zero-shot transfer: attributes carry over to unseen classes, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from zslpipe.demo import make_demo
from zslpipe.demo.attributes import attribute_vectors
from zslpipe.evaluation.metrics import top1
from zslpipe.heads import HEADS, Head
from zslpipe.selection import fit
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.rows import take
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.workspace import Workspace

CHANCE = 0.1  # ten unseen classes


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """Features of a small demo set, with the real weights."""
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder / "cache" / "demo", images_per_class=10)
    place = Workspace(folder, folder / "cache")
    demo = str(folder / "cache" / "demo" / "images")
    return extract_store(
        place, demo, "tf_efficientnet_lite0", weights="package", class_table=folder / "cache/demo"
    ).store


@pytest.fixture(scope="module", params=["global", "fused"])
def head(store: FeatureStore, request: pytest.FixtureRequest) -> Head:
    """The default head, fitted with its default settings: the quickstart's full model, and its global branch."""
    words = attribute_vectors() if request.param == "fused" else None
    benchmark = replace(store.benchmark, attribute_vectors=words)
    return fit(HEADS["remse"](branch=request.param), store.features(), benchmark)


def unseen_accuracy(head: Head, store: FeatureStore, columns: np.ndarray) -> float:
    """T1, with the unseen classes described by their attributes in another order of columns."""
    benchmark = store.benchmark
    unseen = benchmark.unseen_classes
    scores = head.decision_function(
        take(store.features(), benchmark.test_unseen), benchmark.semantics[unseen][:, columns]
    )
    return top1(scores, np.searchsorted(unseen, benchmark.labels[benchmark.test_unseen])).mean


def test_the_default_head_is_four_times_better_than_chance(head: Head, store: FeatureStore) -> None:
    assert len(store.benchmark.unseen_classes) == 10
    assert unseen_accuracy(head, store, np.arange(store.benchmark.semantics.shape[1])) >= 4 * CHANCE


def test_permuted_attributes_leave_chance(head: Head, store: FeatureStore) -> None:
    rng = np.random.default_rng(0)
    permuted = [rng.permutation(store.benchmark.semantics.shape[1]) for _ in range(20)]
    found = np.array([unseen_accuracy(head, store, columns) for columns in permuted])
    assert abs(found.mean() - CHANCE) < 3 * found.std(ddof=1) / np.sqrt(len(found))
    assert found.mean() < 2 * CHANCE
