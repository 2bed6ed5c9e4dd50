"""The offset and temperature that make scores of seen and unseen classes comparable, by maximum likelihood."""

from collections.abc import Sequence
from typing import NamedTuple

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
    scores = np.concatenate([t.scores for t in trials]).astype(np.float32)
    scores -= scores.max(1, keepdims=True)
    labels = np.concatenate([t.labels for t in trials])
    unseen = np.concatenate([np.broadcast_to(t.unseen, t.scores.shape) for t in trials]).astype(np.float32)
    weight = np.concatenate([_balanced(t) for t in trials]) / len(trials)
    rows = np.arange(len(scores))
    true_score, true_unseen = scores[rows, labels], unseen[rows, labels]

    def at(a: float, c: float) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian at a = 1/T and c = b/T."""
        logits = np.float32(a) * scores + np.float32(c) * unseen
        top = logits.max(1, keepdims=True)
        p = np.exp(logits - top)
        total = p.sum(1, keepdims=True)
        p /= total
        value = weight @ (np.log(total[:, 0]) + top[:, 0] - a * true_score - c * true_unseen)
        u = np.einsum("nc,nc->n", p, unseen)
        p *= scores
        s, ss, su = p.sum(1), np.einsum("nc,nc->n", p, scores), np.einsum("nc,nc->n", p, unseen)
        gradient = np.array([weight @ (s - true_score), weight @ (u - true_unseen)])
        cross = weight @ (su - s * u)
        return value, gradient, np.array([[weight @ (ss - s * s), cross], [cross, weight @ (u - u * u)]])

    point = np.array([1 / max(float(np.sqrt(weight @ (scores * scores).mean(1))), 1e-12), 0.0])
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


def _balanced(trial: HeldOut) -> np.ndarray:
    """(N,) weights that sum to one: half for each side, equal for the classes of a side."""
    counts = np.bincount(trial.labels, minlength=len(trial.unseen))
    of_unseen = trial.unseen[trial.labels]
    classes = np.where(of_unseen, (counts[trial.unseen] > 0).sum(), (counts[~trial.unseen] > 0).sum())
    return 0.5 / (classes * counts[trial.labels])
