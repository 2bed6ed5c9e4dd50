"""Closed forms read a few rows at a time, so that a store may be larger than memory, and give the same results."""

from typing import Any

import numpy as np
import pytest

from zslpipe.heads import HEADS
from zslpipe.parts import projections
from zslpipe.store import rows

BLOCK = 16
IMAGES, WIDTH, CLASSES, A = 90, 12, 9, 5


class Watched:
    """Rows that cannot all be read at once."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> np.ndarray:
        found = self.values[index]
        assert found.ndim == 1 or len(found) <= BLOCK, f"{len(found)} rows at once"
        return np.array(found)


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(CLASSES, A)).astype(np.float32)
    labels = rng.permutation(np.arange(IMAGES) % (CLASSES - 2))
    x = semantics[labels] @ rng.normal(size=(A, WIDTH)) + rng.normal(size=(IMAGES, WIDTH))
    return x.astype(np.float16), labels, semantics


@pytest.mark.parametrize("memory", [1 << 40, 0])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("eszsl", {}),
        ("eszsl", {"feature_scaling": "standard", "negative": -1.0}),
        ("eszsl", {"feature_scaling": "centred-unit"}),
        ("gfzsl", {}),
        ("gfzsl", {"covariance": "per-class", "seen_means": "posterior", "prior": "counts"}),
        ("gfzsl-softmax", {"classifier_epochs": 1, "synthetic": 5, "kept": 5}),
        ("prompt", {}),
    ],
)
def test_rows_are_read_in_blocks(
    data: Any, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any], memory: int
) -> None:
    x, labels, semantics = data
    tap = HEADS[name].taps[0]
    if name == "prompt":  # semantics are embeddings, too
        semantics = np.random.default_rng(1).normal(size=(CLASSES, WIDTH)).astype(np.float32)
    whole, head = HEADS[name](**settings), HEADS[name](**settings)
    expected = whole.fit({tap: x}, labels, semantics).decision_function({tap: x}, semantics)
    monkeypatch.setattr(rows, "BLOCK", BLOCK)
    monkeypatch.setattr(projections, "free_bytes", lambda: memory)
    features = {tap: Watched(x)}
    close = {"rtol": 1e-3, "atol": 1e-3 * np.abs(expected).max()}
    found = head.fit(features, labels, semantics).decision_function(features, semantics)
    np.testing.assert_allclose(found, expected, **close)
    for _, candidate in head.fit_candidates(features, labels, semantics, candidates=[{}, {}]):
        for _ in range(2):  # the second time from what was kept, if anything was
            np.testing.assert_allclose(candidate.decision_function(features, semantics), expected, **close)
