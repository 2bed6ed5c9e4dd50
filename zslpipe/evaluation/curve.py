"""The exact seen-unseen curve: U, S and H for all calibrations δ, from one sort.

The prediction for an image is a step function of δ with one threshold, its margin (see `stacking`). So U(δ) and S(δ)
are sums of the weights 1 / (n_c K) of the images whose margin is below or above δ, for class sizes n_c and K classes.
This takes O(N C) to compute the margins and O(N log N) to sort them; no grid of δ is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from zslpipe.evaluation.metrics import check_labels, harmonic_mean
from zslpipe.evaluation.stacking import Rivals, ScoresError, rivals

ROUNDING = 1e-12  # values of U, S and H that differ by no more are equal


class Point(NamedTuple):
    """An operating point of the curve."""

    delta: float
    U: float
    S: float
    H: float


@dataclass(frozen=True, eq=False)
class Curve:
    """U(δ) and S(δ) as step functions; `Curve.of` computes them.

    Attributes:
        thresholds: (T,) float64 ascending, the values of δ at which U or S changes.
        unseen_accuracy, seen_accuracy: (T + 1,) step i applies for thresholds[i - 1] <= δ < thresholds[i]. The first
            step starts at -inf (all images predicted as seen, U = 0), the last ends at +inf (S = 0, U = T1).
    """

    thresholds: np.ndarray
    unseen_accuracy: np.ndarray
    seen_accuracy: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray | Rivals, labels: np.ndarray, seen: np.ndarray) -> "Curve":
        """Compute the curve.

        Args:
            scores: (N, C), or the `Rivals` computed from them.
            labels: (N,) column of the class of each image.
            seen: (C,) bool, which classes are seen.

        Raises:
            ScoresError: if scores are not finite, or there are no test images or classes of either kind.
        """
        both = scores if isinstance(scores, Rivals) else rivals(scores, seen)
        labels, seen = check_labels(labels, len(both), seen)
        of_seen = seen[labels]
        if of_seen.all() or not of_seen.any() or seen.all() or not seen.any():
            raise ScoresError("a seen-unseen curve needs test images and classes of both kinds, seen and unseen.")
        count = np.bincount(labels, minlength=len(seen))
        tested = np.where(of_seen, (count[seen] > 0).sum(), (count[~seen] > 0).sum())
        weight = 1 / (count[labels] * tested)
        gain = np.where(~of_seen & (both.unseen == labels), weight, 0.0)  # correct if δ >= margin
        loss = np.where(of_seen & (both.seen == labels), weight, 0.0)  # correct if δ < margin
        matters = np.flatnonzero((gain > 0) | (loss > 0))
        order = matters[np.argsort(both.margin[matters], kind="stable")]
        margin = both.margin[order]
        # Each is summed from its zero end, so that zero is exact.
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
        """Accuracy of unseen images among the unseen classes (δ = +inf)."""
        return float(self.unseen_accuracy[-1])

    def step(self, delta: float | np.ndarray) -> np.ndarray:
        """Index of the step that applies at δ."""
        return np.searchsorted(self.thresholds, delta, side="right")

    def at(self, delta: float) -> Point:
        """U, S and H at δ."""
        i = int(self.step(delta))
        u, s = float(self.unseen_accuracy[i]), float(self.seen_accuracy[i])
        return Point(float(delta), u, s, float(harmonic_mean(u, s)))

    def best(self) -> Point:
        """The point with the largest H; δ is the middle of the widest interval that reaches it."""
        return self.at(middle_of_best(self.thresholds, self.H))

    def ausuc(self) -> float:
        """Area under the seen-unseen curve (Chao et al., 2016), over all δ.

        Trapezoidal rule over all operating points, including (0, S) for δ = -inf and (T1, 0) for δ = +inf, so that no
        padding is needed. Without tied thresholds the curve is a staircase, for which the trapezoidal rule is exact;
        with ties it gives the mean over all orders in which they could be broken.
        """
        u, s = self.unseen_accuracy, self.seen_accuracy
        return float(np.sum(np.diff(u) * (s[1:] + s[:-1]) / 2))


def best_common_delta(curves: Sequence[Curve]) -> float:
    """The δ with the largest mean H over the curves; the middle of the widest interval that reaches it."""
    thresholds = np.unique(np.concatenate([c.thresholds for c in curves]))
    probe = np.concatenate([[-np.inf], thresholds])  # intervals include their left end
    return middle_of_best(thresholds, np.mean([c.H[c.step(probe)] for c in curves], axis=0))


def middle_of_best(thresholds: np.ndarray, value: np.ndarray) -> float:
    """The middle of the widest interval on which the step function `value` (T + 1,) is maximal.

    The first and last step of H are 0. Returns 0.0 if all steps are, up to rounding.
    """
    if value.max() <= ROUNDING:
        return 0.0
    best = value >= value.max() - ROUNDING
    change = np.flatnonzero(np.diff(best))  # threshold i separates steps i and i + 1
    starts, ends = thresholds[change[::2]], thresholds[change[1::2]]
    widest = int(np.argmax(ends - starts))
    start, end = starts[widest], ends[widest]
    middle = start + (end - start) / 2
    return float(middle if middle < end else start)


def share_flipped(margins: np.ndarray, delta: float) -> float:
    """The share of the images with these `margins` (N,) that are predicted as unseen at δ."""
    return float(np.mean(np.asarray(margins) <= delta))


def delta_flipping(margins: np.ndarray, share: float | np.floating[Any]) -> float:
    """The δ at which a `share` of the images with these `margins` (N,) is predicted as unseen (a quantile).

    Raises:
        ScoresError: if a margin is infinite (there are classes of one kind only) or there is none.
    """
    if not (len(margins) and np.isfinite(margins).all()):
        raise ScoresError("δ can only be chosen where there are images, and classes of both kinds, seen and unseen.")
    return float(np.quantile(np.asarray(margins, np.float64), np.clip(share, 0, 1)))
