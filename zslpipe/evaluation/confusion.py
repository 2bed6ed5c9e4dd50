"""The confusion matrix and its largest entries."""

import numpy as np


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """(C, C) share of the images of class i (row) that were predicted as class j; 0 in rows without images."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, predicted), 1)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def most_confused(shares: np.ndarray, count: int) -> list[tuple[int, int, float]]:
    """The `count` largest nonzero confusions as (true class, predicted class, share), largest first."""
    wrong = shares.copy()
    np.fill_diagonal(wrong, 0.0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, wrong.shape))
    return [(int(i), int(j), float(wrong[i, j])) for i, j in pairs if wrong[i, j] > 0]


def confused_classes(pairs: list[tuple[int, int, float]], count: int) -> list[int]:
    """At most `count` classes that occur in the first pairs, in that order; the last pair is complete."""
    found: list[int] = []
    for i, j, _ in pairs:
        new = [c for c in (i, j) if c not in found]
        if len(found) + len(new) > count:
            break
        found += new
    return found
