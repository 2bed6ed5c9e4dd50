"""How sure a head is, learnt on the validation folds: its temperature, and the certainty below which it knows no class.

In a fold the scores are calibrated by the fold's own best δ. The refitted head has seen more images and chooses among
other classes, which changes the scale of its scores; the temperature follows the spread of the scores of held-out seen
images, and the threshold the share of them that it accepts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zslpipe.evaluation.confidence import (
    CERTAINTIES,
    Confidence,
    calibrated,
    calibration_error,
    certainty,
    fit_temperature,
    predicted,
    spread,
    times_as_wide,
    unknown_auroc,
)
from zslpipe.evaluation.protocol import TestScores

ACCEPTED = 0.95  # share of images of known classes that the threshold accepts
ROWS = 2000  # images of a fold that are looked at: enough for two numbers, little to keep
CONTENDERS = 8  # settings whose scores are kept in each fold


class FoldScores(NamedTuple):
    """Calibrated scores (N, C) float32 of images of a fold, their labels (N,) and which are of seen classes (N,)."""

    scores: np.ndarray
    labels: np.ndarray
    of_seen: np.ndarray

    @classmethod
    def of(cls, tests: TestScores, delta: float) -> "FoldScores":
        """At most `ROWS` of the test images, evenly spaced, which keeps the shares of the classes."""
        rows = np.unique(np.linspace(0, len(tests.labels) - 1, min(len(tests.labels), ROWS)).astype(int))
        labels = tests.labels[rows]
        return cls(calibrated(tests.scores[rows], tests.seen, delta), labels, tests.seen[labels])


class Contenders:
    """The scores in each fold of the settings that are best so far; that of the best is always there in the last."""

    def __init__(self) -> None:
        self.folds: list[dict[str, tuple[float, FoldScores]]] = []

    def next_fold(self) -> None:
        self.folds.append({})

    def add(self, key: str, value: float, scores: FoldScores) -> None:
        """`value` is the mean of the criterion over the folds so far."""
        fold = self.folds[-1]
        fold[key] = value, scores
        if len(fold) > CONTENDERS:
            del fold[min(reversed(fold), key=lambda k: fold[k][0])]  # of equally good ones the first stays

    def of(self, key: str) -> list[FoldScores]:
        return [fold[key][1] for fold in self.folds if key in fold]


def learn_confidence(folds: Sequence[FoldScores], held: TestScores | None, delta: float) -> Confidence:
    """Fit the temperature, choose the best of CERTAINTIES and its threshold.

    Args:
        folds: scores of the chosen setting.
        held: scores of the head refitted without some seen images, for those images; None keeps temperature and
            threshold as they are in the folds.
        delta: the calibration of the refitted head.
    """
    temperature = fit_temperature([(fold.scores, fold.labels) for fold in folds])
    areas = {kind: _area(folds, temperature, kind) for kind in CERTAINTIES}
    known = {kind: area for kind, area in areas.items() if area is not None}
    chosen = max(known, key=lambda kind: known[kind]) if known else CERTAINTIES[0]
    sure = np.concatenate([certainty(fold.scores, temperature, chosen) for fold in folds])
    threshold = float(np.quantile(sure, 1 - ACCEPTED))
    errors = [np.mean([_error(fold, t) for fold in folds]) for t in (temperature, 1.0)]
    if held is not None and len(held.labels):
        scores = calibrated(held.scores, held.seen, delta)
        before = float(
            np.mean([spread(fold.scores, rows=np.flatnonzero(fold.of_seen)) for fold in folds if fold.of_seen.any()])
        )
        of_seen = np.concatenate([fold.of_seen for fold in folds])
        rejected = float(np.mean(sure[of_seen] < threshold))
        temperature *= times_as_wide(spread(scores), before)
        threshold = float(np.quantile(certainty(scores, temperature, chosen), rejected))
    return Confidence(temperature, chosen, threshold, areas[chosen], float(errors[0]), float(errors[1]))


def _area(folds: Sequence[FoldScores], temperature: float, kind: str) -> float | None:
    found = [unknown_auroc(fold.scores, fold.labels, ~fold.of_seen, temperature, kind) for fold in folds]
    areas = [area for area in found if area is not None]
    return float(np.mean(areas)) if areas else None


def _error(fold: FoldScores, temperature: float) -> float:
    return calibration_error(*predicted(fold.scores, fold.labels, temperature))
