"""The seen-unseen curve of a validation fold, as if it had another number of unseen classes.

The more unseen classes there are, the larger the best of their scores, and the more seen images a given δ turns into
unseen predictions. A fold has other unseen classes than the problem it stands for, and another number of them. So each
of its images meets as many as the problem has, drawn from all that can be scored: those that the fold holds out, and
the problem's own by their semantics. The mean over all draws of k out of n needs no drawing:

- an unseen image meets its own class and k - 1 others. It is right at δ >= (best seen score) - (score of its class) if
  all of them score less, which of n - 1 others m do: with probability C(m, k - 1) / C(n - 1, k - 1).
- a seen image meets k of n. The j-th smallest score is the largest drawn with probability C(j - 1, k - 1) / C(n, k);
  the image is predicted as seen at δ < (best seen score) - (that score).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln

from zslpipe.evaluation.curve import middle_of_best
from zslpipe.evaluation.metrics import harmonic_mean
from zslpipe.evaluation.protocol import TestScores
from zslpipe.evaluation.stacking import check_scores, in_parts, rivals

STEPS = 4096  # at most so many are kept of a curve, evenly spaced along it
UNLIKELY = 1e-15  # chance that is lost with the ranks that are left out


@dataclass(frozen=True, eq=False)
class Expected:
    """Step functions of δ; `Expected.of` computes them.

    Attributes:
        thresholds: (T,) float64 ascending, the values of δ at which they change.
        unseen_accuracy, seen_accuracy: (T + 1,) expected U and S.
        flipped: (T + 1,) expected share of seen images that are predicted as unseen.
    """

    thresholds: np.ndarray
    unseen_accuracy: np.ndarray
    seen_accuracy: np.ndarray
    flipped: np.ndarray

    @classmethod
    def of(cls, tests: TestScores, count: int) -> Self:
        """The curve with `count` unseen classes, or with all that are scored if those are fewer."""
        labels, of_seen = tests.labels, tests.seen[tests.labels]
        scores, others = tests.scores, tests.scores[:, :0] if tests.others is None else check_scores(tests.others)
        best = rivals(scores, tests.seen).seen
        best_seen, own = (scores[np.arange(len(labels)), c].astype(np.float64) for c in (best, labels))
        n = int((~tests.seen).sum()) + others.shape[1]
        k = min(count, n)

        def unseen(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
            return np.hstack([scores[:, ~tests.seen], others])

        def below_own(scores: np.ndarray, others: np.ndarray, own: np.ndarray) -> np.ndarray:
            return np.asarray((unseen(scores, others) < own[:, None]).sum(1))

        def top(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
            return np.sort(np.partition(unseen(scores, others), first, axis=1)[:, first:], axis=1).astype(np.float64)

        below = in_parts(below_own, scores, others, own, rows=np.flatnonzero(~of_seen))
        gain = _weights(labels[~of_seen]) * np.exp(_log_choose(below, k - 1) - _log_choose(n - 1, k - 1))
        largest = np.exp(_log_choose(np.arange(n), k - 1) - _log_choose(n, k))  # (n,) sums to one
        first = int(np.searchsorted(np.cumsum(largest), UNLIKELY))  # with many classes only the highest ranks count
        largest = largest[first:]
        margins = (best_seen[of_seen, None] - in_parts(top, scores, others, rows=np.flatnonzero(of_seen))).ravel()
        right = _weights(labels[of_seen]) * (best == labels)[of_seen]
        steps = [  # margins, and by how much U, S and the flipped share change there
            ((best_seen - own)[~of_seen], gain, 0.0 * gain, 0.0 * gain),
            (margins, 0.0 * margins, np.outer(right, largest).ravel(), np.tile(largest, of_seen.sum()) / of_seen.sum()),
        ]
        return cls._from_steps(*(np.concatenate(parts) for parts in zip(*steps)))

    @classmethod
    def _from_steps(cls, margins: np.ndarray, gain: np.ndarray, loss: np.ndarray, flip: np.ndarray) -> Self:
        order = np.argsort(margins, kind="stable")
        margins = margins[order]
        u, s, flipped = (np.concatenate([[0.0], np.cumsum(change[order])]) for change in (gain, loss, flip))
        last = np.flatnonzero(np.diff(margins, append=np.inf) > 0)  # of equal margins
        if len(last) > STEPS:
            way = (u + s + flipped)[last + 1]
            last = last[np.unique(np.searchsorted(way, np.linspace(way[0], way[-1], STEPS)).clip(max=len(last) - 1))]
        kept = np.concatenate([[0], last + 1])
        return cls(margins[last], u[kept], s[-1] - s[kept], flipped[kept])

    def step(self, delta: float | np.ndarray) -> np.ndarray:
        """Index of the step that applies at δ."""
        return np.searchsorted(self.thresholds, delta, side="right")

    def flipped_at(self, delta: float) -> float:
        """The expected share of seen images that δ turns into unseen predictions."""
        return float(self.flipped[self.step(delta)])


def h_of(curves: Sequence[Expected], deltas: np.ndarray) -> np.ndarray:
    """H of the mean U and the mean S of the curves at each δ."""
    steps = [curve.step(deltas) for curve in curves]
    u = np.mean([curve.unseen_accuracy[i] for curve, i in zip(curves, steps)], axis=0)
    s = np.mean([curve.seen_accuracy[i] for curve, i in zip(curves, steps)], axis=0)
    return np.asarray(harmonic_mean(u, s))


def best_expected_delta(curves: Sequence[Expected]) -> float:
    """The δ with the largest `h_of`; the middle of the widest interval that reaches it."""
    thresholds = np.unique(np.concatenate([curve.thresholds for curve in curves]))
    return middle_of_best(thresholds, h_of(curves, np.concatenate([[-np.inf], thresholds])))


def loss_from_others(curves: Sequence[Expected]) -> float:
    """How much H each curve loses if its δ is the best of the others, on average; 0 for a single curve."""
    if len(curves) < 2:
        return 0.0
    losses = []
    for k, curve in enumerate(curves):
        delta = best_expected_delta([*curves[:k], *curves[k + 1 :]])
        most = h_of([curve], np.concatenate([[-np.inf], curve.thresholds])).max()
        losses.append(most - float(h_of([curve], np.array([delta]))[0]))
    return float(np.mean(losses))


def _log_choose(n: np.ndarray | int, k: int) -> np.ndarray:
    """ln C(n, k), -inf where k > n."""
    n = np.asarray(n, np.float64)
    possible = n >= k
    n = np.where(possible, n, k)
    return np.where(possible, gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), -np.inf)


def _weights(labels: np.ndarray) -> np.ndarray:
    """(N,) 1 / (n_c K) for images of K classes with n_c images each."""
    _, rows, count = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (count[rows] * len(count))
