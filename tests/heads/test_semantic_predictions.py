"""Predicted semantics are those that scores are computed from."""

from typing import Any

import numpy as np
import pytest

from zslpipe.heads import HEADS, Attributes
from zslpipe.parts.semantic_head import SemanticHead

NAMES = [name for name in HEADS if issubclass(HEADS[name], SemanticHead)]


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_cosines_of_predictions_and_targets(name: str) -> None:
    rng = np.random.default_rng(0)
    semantics = rng.uniform(0.1, 1, size=(6, 5)).astype(np.float32)
    features: dict[str, Any] = {"region": rng.normal(size=(24, 4, 8)).astype(np.float32)}
    features["global"] = features["region"].mean(1)
    head = HEADS[name](epochs=1, batch=8, device="cpu")
    assert isinstance(head, SemanticHead)
    words = Attributes(tuple("abcde"), rng.normal(size=(5, 3)).astype(np.float32))
    head.fit(features, np.repeat(np.arange(4), 6), semantics, words)
    predicted, targets = head.predict_semantics(features), head.semantic_targets(semantics)
    assert predicted.shape == (24, 5)
    if name != "apn":  # whose scores are inner products
        predicted, targets = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (predicted, targets))
    scores = head.decision_function(features, semantics)
    np.testing.assert_allclose(scores, head.scale * predicted @ targets.T, rtol=1e-3, atol=1e-3)
