"""Calibrated stacking (Chao et al., 2016): predict the class with the largest score_c - δ·1[c is seen].

For any δ, the predicted class is either the best seen or the best unseen class. The margin, best seen score minus best
unseen score, decides which: the seen class wins if the margin exceeds δ. A tie goes to the unseen class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zslpipe.errors import ZslpipeError

VALUES = 2**22  # scores that are copied or sorted at a time: there may be thousands of images and of classes


class ScoresError(ZslpipeError):
    """Scores are not finite or do not match labels or classes."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """The two classes that can be predicted for each image, best seen and best unseen, and the margin between them.

    Attributes:
        margin: (N,) float64, best seen score minus best unseen score; infinite if all classes are of one kind.
        seen: (N,) column of the best seen class.
        unseen: (N,) column of the best unseen class.
    """

    margin: np.ndarray
    seen: np.ndarray
    unseen: np.ndarray

    def __len__(self) -> int:
        return len(self.margin)

    def __getitem__(self, index: np.ndarray | slice) -> "Rivals":
        return Rivals(self.margin[index], self.seen[index], self.unseen[index])

    def predict(self, delta: float = 0.0) -> np.ndarray:
        """(N,) predicted classes at the calibration `delta`, in units of the scores."""
        return np.where(self.margin > delta, self.seen, self.unseen)


def check_scores(scores: np.ndarray) -> np.ndarray:
    """The scores as an array (N, C).

    Raises:
        ScoresError: if the number of dimensions is wrong, or a score is NaN or infinite.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise ScoresError(f"scores must have shape (images, classes), not {scores.shape}.")
    if not np.isfinite(scores.sum(dtype=np.float64)) and not (finite := np.isfinite(scores)).all():
        row, column = np.argwhere(~finite)[0]
        count = int((~finite).sum())
        raise ScoresError(
            f"{count} of {scores.size} scores are NaN or infinite, the first for image {row} and class {column}: "
            "the head has diverged or its features are damaged; train with other settings or verify the features."
        )
    return scores


def in_parts(compute: Callable[..., np.ndarray], *arrays: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """What `compute` makes of some rows of the arrays (N, ...), a few at a time so that copies stay small.

    `rows` are the indices of these rows; None for all.
    """
    count = len(arrays[0]) if rows is None else len(rows)
    step = max(1, VALUES // max(1, sum(int(np.prod(a.shape[1:])) for a in arrays)))
    parts = [slice(start, start + step) for start in range(0, max(count, 1), step)]
    return np.concatenate([compute(*(a[part if rows is None else rows[part]] for a in arrays)) for part in parts])


def rivals(scores: np.ndarray, seen: np.ndarray) -> Rivals:
    """Find the best seen and the best unseen class of each image.

    Args:
        scores: (N, C); not modified.
        seen: (C,) bool, which classes are seen.

    Raises:
        ScoresError: if scores are not finite or do not match `seen`.
    """
    scores, seen = check_scores(scores), np.asarray(seen, bool)
    if seen.shape != scores.shape[1:]:
        raise ScoresError(
            f"there are scores of {scores.shape[1]} classes, but {seen.size} are marked as seen or unseen."
        )
    if not seen.size:
        raise ScoresError("there are no classes to choose from.")
    best_seen, seen_score = _best(scores, np.flatnonzero(seen))
    best_unseen, unseen_score = _best(scores, np.flatnonzero(~seen))
    return Rivals(seen_score - unseen_score, best_seen, best_unseen)


def _best(scores: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best of the `columns` for each row, and its score as float64 (-inf if there are no columns)."""
    rows = np.arange(len(scores))
    if not len(columns):
        return np.full(len(scores), -1), np.full(len(scores), -np.inf)
    first, last = columns[0], columns[-1]
    contiguous = last - first + 1 == len(columns)  # a slice does not copy
    which = slice(first, last + 1) if contiguous else columns
    best = columns[in_parts(lambda part: part[:, which].argmax(1), scores)]
    return best, scores[rows, best].astype(np.float64)
