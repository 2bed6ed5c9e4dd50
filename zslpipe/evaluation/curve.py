"""The exact seen-unseen curve: U, S and H for every calibration δ at once, from one sort.

An image's prediction is a step function of δ with one threshold, its margin (see `stacking`). So U(δ) and S(δ)
are sums of class weights 1 / (n_c K) over the images whose threshold lies on one side of δ: O(N C) to find the
margins, O(N log N) to sort them, and no grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zslpipe.evaluation.metrics import check_labels, harmonic_mean
from zslpipe.evaluation.stacking import Rivals, ScoresError, rivals


class Point(NamedTuple):
    """One operating point."""

    delta: float
    U: float
    S: float
    H: float


@dataclass(frozen=True, eq=False)
class Curve:
    """U(δ) and S(δ) as step functions; `Curve.of` computes them.

    Attributes:
        thresholds: (T,) float64 ascending, the values of δ at which U or S changes.
        unseen_accuracy, seen_accuracy: (T + 1,) step i holds for thresholds[i - 1] <= δ < thresholds[i]; the
            first step reaches down to -inf (everything called seen, U = 0), the last up to +inf (S = 0, U = T1).
    """

    thresholds: np.ndarray
    unseen_accuracy: np.ndarray
    seen_accuracy: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray | Rivals, labels: np.ndarray, seen: np.ndarray) -> "Curve":
        """The curve of scores (N, C) for images with `labels` (N,) columns, `seen` (C,) bool.

        Raises:
            ScoresError: for scores that are not finite, or where either side has no test image or no class.
        """
        both = scores if isinstance(scores, Rivals) else rivals(scores, seen)
        labels, seen = check_labels(labels, len(both), seen)
        of_seen = seen[labels]
        if of_seen.all() or not of_seen.any() or seen.all() or not seen.any():
            raise ScoresError("a seen-unseen curve needs test images and classes of both kinds.")
        count = np.bincount(labels, minlength=len(seen))
        tested = np.where(of_seen, (count[seen] > 0).sum(), (count[~seen] > 0).sum())
        weight = 1 / (count[labels] * tested)
        gain = np.where(~of_seen & (both.unseen == labels), weight, 0.0)  # right for δ >= margin
        loss = np.where(of_seen & (both.seen == labels), weight, 0.0)  # right for δ < margin
        matters = np.flatnonzero((gain > 0) | (loss > 0))
        order = matters[np.argsort(both.margin[matters], kind="stable")]
        margin = both.margin[order]
        # Summed from the end at which each is nothing, so that nothing is exactly 0.
        unseen = np.concatenate([[0.0], np.cumsum(gain[order])])
        seen_ = np.concatenate([np.cumsum(loss[order][::-1])[::-1], [0.0]])
        last_of_equal = np.flatnonzero(np.diff(margin, append=np.inf) > 0)
        steps = np.concatenate([[0], last_of_equal + 1])
        return cls(margin[last_of_equal], unseen[steps], seen_[steps])

    @property
    def H(self) -> np.ndarray:
        """(T + 1,) harmonic mean of each step."""
        return harmonic_mean(self.unseen_accuracy, self.seen_accuracy)

    @property
    def T1(self) -> float:
        """Unseen accuracy when no seen class can win."""
        return float(self.unseen_accuracy[-1])

    def step(self, delta: float | np.ndarray) -> np.ndarray:
        """Which step holds at δ."""
        return np.searchsorted(self.thresholds, delta, side="right")

    def at(self, delta: float) -> Point:
        """U, S and H at δ."""
        i = int(self.step(delta))
        u, s = float(self.unseen_accuracy[i]), float(self.seen_accuracy[i])
        return Point(float(delta), u, s, float(harmonic_mean(u, s)))

    def best(self) -> Point:
        """The largest H that any δ reaches, with δ in the middle of the (widest) stretch that reaches it."""
        return self.at(_middle_of_best(self.thresholds, self.H))

    def ausuc(self) -> float:
        """Area under seen accuracy over unseen accuracy (Chao et al., 2016), δ running over all reals.

        Trapezoids over all operating points. The points include (0, S) for δ = -inf and (T1, 0) for δ = +inf, so
        that nothing is padded. Without ties every move along the curve is axis-parallel and trapezoid and step
        agree; where thresholds are tied, the trapezoid is the mean over the orders in which they could be broken.
        """
        u, s = self.unseen_accuracy, self.seen_accuracy
        return float(np.sum(np.diff(u) * (s[1:] + s[:-1]) / 2))


def best_common_delta(curves: Sequence[Curve]) -> float:
    """The δ at which the mean of the curves' H is largest (middle of the widest such stretch)."""
    thresholds = np.unique(np.concatenate([c.thresholds for c in curves]))
    probe = np.concatenate([[-np.inf], thresholds])  # the left end of every stretch belongs to it
    return _middle_of_best(thresholds, np.mean([c.H[c.step(probe)] for c in curves], axis=0))


def _middle_of_best(thresholds: np.ndarray, value: np.ndarray) -> float:
    """Where the step function `value` (T + 1,) is largest: the middle of its widest best stretch.

    Its first and last step are 0, as H is without unseen or seen images called right; 0.0 where all are.
    """
    if value.max() <= 0:
        return 0.0
    best = value >= value.max() - 1e-12  # equal but for rounding
    change = np.flatnonzero(np.diff(best))  # threshold i stands between step i and step i + 1
    starts, ends = thresholds[change[::2]], thresholds[change[1::2]]
    widest = int(np.argmax(ends - starts))
    start, end = starts[widest], ends[widest]
    middle = start + (end - start) / 2
    return float(middle if middle < end else start)


def share_flipped(margins: np.ndarray, delta: float) -> float:
    """The share of images with these `margins` (N,) that δ calls unseen."""
    return float(np.mean(np.asarray(margins) <= delta))


def delta_flipping(margins: np.ndarray, share: float) -> float:
    """The δ that calls a `share` of the images with these `margins` (N,) unseen (interpolated quantile)."""
    return float(np.quantile(np.asarray(margins, np.float64), np.clip(share, 0, 1)))
