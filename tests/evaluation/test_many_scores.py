"""Scores are looked at a few rows at a time, with the same results."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zslpipe.evaluation import stacking
from zslpipe.evaluation.confidence import CERTAINTIES, Confidence, Reliability, fit_temperature, spread
from zslpipe.evaluation.expected import Expected
from zslpipe.evaluation.protocol import TestScores
from zslpipe.evaluation.stacking import in_parts, rivals

SEEN = np.array([True, False, True, True, False, False])
LABELS = np.arange(40) % 6


def scores(classes: int = 6) -> np.ndarray:
    return np.random.default_rng(classes).normal(size=(40, classes)).astype(np.float32)


MEASURES: list[Callable[[], Any]] = [
    lambda: vars(rivals(scores(), SEEN)),
    lambda: vars(Expected.of(TestScores(LABELS, LABELS, SEEN, scores(), None, scores(7)), 3)),
    lambda: spread(scores(), scores(7), rows=np.arange(3, 30, 2)),
    lambda: fit_temperature([(scores(), LABELS)]),
    *(
        lambda kind=kind: vars(Reliability.of(Confidence(0.3, kind, 0.5, None, 0.0, 0.0), scores(), LABELS, SEEN))
        for kind in CERTAINTIES
    ),
]


@pytest.mark.parametrize("number", range(len(MEASURES)))
def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    expected = MEASURES[number]()
    monkeypatch.setattr(stacking, "VALUES", 60)
    np.testing.assert_equal(MEASURES[number](), expected)


def test_parts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacking, "VALUES", 60)
    sizes: list[int] = []

    def taken(some: np.ndarray, others: np.ndarray) -> np.ndarray:
        sizes.append(some.size + others.size)
        return some[:, 0]

    np.testing.assert_array_equal(in_parts(taken, scores(), scores(7)), scores()[:, 0])
    assert max(sizes) <= 60
    assert sum(sizes) == 40 * 13
    assert in_parts(taken, scores()[:0], scores(7)[:0]).shape == (0,)
