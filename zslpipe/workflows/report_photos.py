"""What a report says first: how many photos were named correctly, and some of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import TestScores
from zslpipe.evaluation.scores import KeptScores
from zslpipe.evaluation.stacking import rivals
from zslpipe.report.content import Count, Photo, Photos
from zslpipe.report.photos import photo_uri
from zslpipe.tar_members import file_exists

SHOWN = 8  # photos of each kind


def counts(tests: Sequence[TestScores], deltas: Sequence[float | None]) -> dict[str, Count]:
    """Test images of unseen and of seen classes, and how many of them are named correctly among all classes.

    Args:
        tests: one per seed.
        deltas: the calibration of each.
    """
    of_seen = tests[0].seen[tests[0].labels]
    right = np.mean([_predicted(t, delta) == t.labels for t, delta in zip(tests, deltas)], axis=0)
    sides = {"unseen": ~of_seen, "seen": of_seen}
    return {side: Count(int(rows.sum()), float(right[rows].sum())) for side, rows in sides.items() if rows.any()}


def photos(kept: KeptScores, delta: float | None, root: Path | None, shown: int = SHOWN) -> Photos | None:
    """The photos on which the calibrated prediction is surest, rightly and wrongly, at most one per class.

    Sure means a large difference between the calibrated score of the predicted class and that of the next one, or for
    a mistake that of the true class. Right ones are of unseen classes first. None if there are no image files.

    Args:
        kept: the scores of one seed.
        delta: their calibration.
        root: folder of the images.
        shown: number of photos of each kind.
    """
    if root is None or not root.is_dir():
        return None
    rows = np.arange(len(kept.labels))
    scores = kept.scores.astype(np.float64) - (delta or 0.0) * kept.seen
    predicted = rivals(kept.scores, kept.seen).predict(delta or 0.0)
    right = predicted == kept.labels
    others = scores.copy()
    others[rows, predicted] = -np.inf
    second = np.where(right, others.max(1), scores[rows, kept.labels])
    surest = np.argsort(second - scores[rows, predicted], kind="stable")
    first = surest[np.argsort(kept.seen[kept.labels[surest]], kind="stable")]
    found = Photos(
        right=_of_each_class(kept, predicted, first[right[first]], root, shown),
        wrong=_of_each_class(kept, predicted, surest[~right[surest]], root, shown),
    )
    return found if found.right or found.wrong else None


def _of_each_class(
    kept: KeptScores, predicted: np.ndarray, rows: np.ndarray, root: Path, shown: int
) -> tuple[Photo, ...]:
    """The first readable photo of each class, in the order of `rows`."""
    found: dict[int, Photo] = {}
    for row in rows.tolist():
        truth = int(kept.labels[row])
        if truth in found:
            continue
        name = kept.image_ids[row]
        path = root / name
        try:
            image = photo_uri(path if file_exists(path) else root / name.split("#")[0])  # a photo with several objects
        except InputError:
            continue
        found[truth] = Photo(image, kept.class_names[truth], kept.class_names[predicted[row]], bool(kept.seen[truth]))
        if len(found) == shown:
            break
    return tuple(found.values())


def _predicted(tests: TestScores, delta: float | None) -> np.ndarray:
    return rivals(tests.scores, tests.seen).predict(delta or 0.0)
