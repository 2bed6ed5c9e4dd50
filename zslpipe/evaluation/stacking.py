"""Calibrated stacking (Chao et al., 2016): score_c - δ·1[c is seen], and what follows from it exactly.

For one image only two classes can ever win: its best seen class and its best unseen class. Which of them does
is settled by one number, the margin (best seen score minus best unseen score): the seen class wins only if the
margin exceeds δ. A tie goes to the unseen class.
"""

from dataclasses import dataclass

import numpy as np

from zslpipe.errors import ZslpipeError


class ScoresError(ZslpipeError):
    """Scores from which no prediction can be made."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """The two classes that can win each image, and the margin that settles which.

    Attributes:
        margin: (N,) float64, best seen score minus best unseen score; infinite where one side has no class.
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
        """(N,) the class predicted under calibration by `delta`, in the units of the scores."""
        return np.where(self.margin > delta, self.seen, self.unseen)


def check_scores(scores: np.ndarray) -> np.ndarray:
    """The scores as an array (N, C), unless they are none.

    Raises:
        ScoresError: for a wrong number of dimensions, and for NaN or infinity anywhere.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise ScoresError(f"scores need the shape (images, classes), these have {scores.shape}.")
    finite = np.isfinite(scores)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        count = int((~finite).sum())
        raise ScoresError(
            f"{count} of {scores.size} scores are NaN or infinite, the first for image {row} and class {column}: "
            "the head has diverged or its features are damaged; train it with milder settings or verify the features."
        )
    return scores


def rivals(scores: np.ndarray, seen: np.ndarray) -> Rivals:
    """Reduce scores (N, C) to what calibrated stacking needs; `seen` (C,) bool marks the seen classes.

    The one pass over all scores, O(N C); the scores stay as they are.

    Raises:
        ScoresError: for scores from which no prediction can be made.
    """
    scores, seen = check_scores(scores), np.asarray(seen, bool)
    if seen.shape != scores.shape[1:]:
        raise ScoresError(f"{scores.shape[1]} classes are scored but {seen.size} are marked as seen or unseen.")
    if not seen.size:
        raise ScoresError("there is no class to choose from.")
    best_seen, seen_score = _best(scores, np.flatnonzero(seen))
    best_unseen, unseen_score = _best(scores, np.flatnonzero(~seen))
    return Rivals(seen_score - unseen_score, best_seen, best_unseen)


def _best(scores: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best of the `columns` for each row, and its score as float64 (-inf where there is no column)."""
    rows = np.arange(len(scores))
    if not len(columns):
        return np.full(len(scores), -1), np.full(len(scores), -np.inf)
    first, last = columns[0], columns[-1]
    together = last - first + 1 == len(columns)  # a slice is a view, a list of columns a copy
    part = scores[:, first : last + 1] if together else scores[:, columns]
    best = columns[part.argmax(1)]
    return best, scores[rows, best].astype(np.float64)
