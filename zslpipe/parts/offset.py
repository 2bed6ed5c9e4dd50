"""The offset and temperature that make scores of seen and unseen classes comparable, by maximum likelihood."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

STEPS = 25  # of Newton's method, at most
TOLERANCE = 1e-3  # nats: a step that gains less is the last; the error left is far smaller


class HeldOut(NamedTuple):
    """Scores of images that were held out, some of them of classes that were held out as well.

    Attributes:
        scores: (N, C).
        labels: (N,) columns of `scores`.
        unseen: (C,) bool, which classes were held out.
    """

    scores: np.ndarray
    labels: np.ndarray
    unseen: np.ndarray


def fit_offset(trials: Sequence[HeldOut]) -> tuple[float, float]:
    """(offset b, temperature T) of softmax((scores + b [unseen]) / T) with the largest likelihood.

    Seen and unseen classes weigh equally in every trial, and so do the classes of each kind, as in H. The negative
    log-likelihood is convex in (1/T, b/T); Newton's method with halved steps.
    """
    sides = [_Trial.of(trial) for trial in trials]

    def at(a: float, c: float) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian at a = 1/T and c = b/T, means over the trials."""
        values, gradients, hessians = zip(*(side.at(a, c) for side in sides))
        return float(np.mean(values)), np.mean(gradients, 0), np.mean(hessians, 0)

    spread = np.sqrt(np.mean([side.mean_square() for side in sides]))
    point = np.array([1 / max(float(spread), 1e-12), 0.0])
    value, gradient, hessian = at(*point)
    for _ in range(STEPS):
        step = np.linalg.solve(hessian + 1e-9 * np.trace(hessian) * np.eye(2), gradient)
        size = 1.0
        while size > 1e-6:
            new = point - size * step
            if new[0] > 0:
                found = at(*new)
                if found[0] <= value:
                    break
            size /= 2
        else:
            break
        gained, point, (value, gradient, hessian) = value - found[0], new, found
        if gained < TOLERANCE:
            break
    return float(point[1] / point[0]), float(1 / point[0])


class _Trial(NamedTuple):
    """A trial with the weights of its images; the scores of each image are relative to its largest."""

    scores: np.ndarray  # (N, C) float32
    true_scores: np.ndarray  # (N,)
    unseen: np.ndarray  # (C,) float32
    true_unseen: np.ndarray  # (N,)
    weight: np.ndarray  # (N,)

    @classmethod
    def of(cls, trial: HeldOut) -> Self:
        scores = trial.scores - trial.scores.max(1, keepdims=True)
        unseen = trial.unseen.astype(np.float32)
        true = scores[np.arange(len(scores)), trial.labels]
        return cls(scores.astype(np.float32, copy=False), true, unseen, unseen[trial.labels], _balanced(trial))

    def mean_square(self) -> float:
        return float(self.weight @ np.einsum("nc,nc->n", self.scores, self.scores)) / len(self.unseen)

    def at(self, a: float, c: float) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian at a = 1/T and c = b/T."""
        p = np.float32(a) * self.scores
        p += np.float32(c) * self.unseen
        top = p.max(1, keepdims=True)
        p -= top
        np.exp(p, out=p)
        total = p.sum(1, keepdims=True)
        p /= total
        value = self.weight @ (np.log(total[:, 0]) + top[:, 0] - a * self.true_scores - c * self.true_unseen)
        u = p @ self.unseen
        p *= self.scores
        s, ss, su = p.sum(1), np.einsum("nc,nc->n", p, self.scores), p @ self.unseen
        gradient = np.array([self.weight @ (s - self.true_scores), self.weight @ (u - self.true_unseen)])
        cross = self.weight @ (su - s * u)
        hessian = np.array([[self.weight @ (ss - s * s), cross], [cross, self.weight @ (u - u * u)]])
        return value, gradient, hessian


def _balanced(trial: HeldOut) -> np.ndarray:
    """(N,) weights that sum to one: half for each side, equal for the classes of a side."""
    counts = np.bincount(trial.labels, minlength=len(trial.unseen))
    of_unseen = trial.unseen[trial.labels]
    classes = np.where(of_unseen, (counts[trial.unseen] > 0).sum(), (counts[~trial.unseen] > 0).sum())
    return 0.5 / (classes * counts[trial.labels])
