"""Any-shot learning: a trained head and some photos of unseen classes, mixed as validation classes tell.

In every class-disjoint fold the held-out classes are given 1, 2, 5 and 10 photos, taken from their images; the others
are the test. The weights that give the largest mean of T1 and H over folds and numbers of photos are chosen, and for
each number the shift of δ that goes with it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.curve import Curve, best_common_delta
from zslpipe.evaluation.protocol import classes_of
from zslpipe.evaluation.stacking import rivals
from zslpipe.parts.head import Head, Scorer
from zslpipe.parts.photos import Mixing, Photos, Scored, Space, WithPhotos, moves, spread_of
from zslpipe.parts.problem import Classes
from zslpipe.progress import ticking
from zslpipe.selection.fitting import attributes_of
from zslpipe.selection.rules import UnseenClassValidation
from zslpipe.store.derived import admissible
from zslpipe.store.rows import IMAGE, Features, Joined, Taken, take

SHOTS = (1, 2, 5, 10)
TRUSTS = (0.25, 0.5, 1.0, 2.0, 4.0)
RIDGES = (10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True, eq=False)
class Known:
    """A fitted head on a problem: everything that photos are added to.

    Attributes:
        head, space: fitted on the training images.
        scorer: the head bound to `classes`, once, since that can take a training.
        classes: that compete.
        spread: of the head's scores.
        first: one training image of each seen class.
        delta: of the head without photos.
    """

    head: Head
    space: Space
    scorer: Scorer
    classes: Classes
    spread: float
    first: Photos
    delta: float

    @classmethod
    def of(cls, head: Head, features: Features, problem: Benchmark, classes: Classes, delta: float) -> "Known":
        """From the training images of the problem, on which the head was fitted; `classes` may be more than its own."""
        if IMAGE in head.fitted_problem.stored:
            raise InputError(f"{head.name} was trained from images end to end: photos need stored features.")
        trained, labels = take(features, problem.trainval), problem.labels[problem.trainval]
        rows = np.array([np.flatnonzero(labels == c)[0] for c in problem.seen_classes])
        first = Photos(take(features, problem.trainval[rows]), labels[rows])
        scorer = head.bind(classes)
        return cls(head, Space.of(trained, labels), scorer, classes, spread_of(scorer(first.features)), first, delta)

    @cached_property
    def others(self) -> Scored:
        """The images of `first`."""
        return self.scored(*self.first)

    def scored(self, features: Features, labels: np.ndarray) -> Scored:
        """The images that these features (n, ...) and labels (n,) describe."""
        scores = self.scorer(features)
        scores = (scores - np.float32(self.delta) * self.classes.seen) / np.float32(self.spread)
        return Scored(scores, self.space(features), labels)


def choose_mixing(
    head: Head, features: Features, benchmark: Benchmark, *, folds: int = 3, seed: int = 0, refit: bool = False
) -> Mixing:
    """Choose how photos and semantics are mixed, on validation classes.

    Args:
        head: with the settings to use; it is fitted in every fold.
        features: rows of all images of the benchmark.
        benchmark: only its trainval is used.
        folds, seed: of `UnseenClassValidation`.
        refit: fit the head again with the photos among its training images, instead of moving its scores.
    """
    problems = UnseenClassValidation(folds=folds, seed=seed).problems(benchmark)
    curves: dict[tuple[float, float], dict[int, list[Curve]]] = {}
    with ticking(f"weighing photos against the semantics of {head.name}, folds", len(problems)) as ticker:
        for fold in problems:
            found = _refitted(head, features, fold, seed) if refit else _mixed(head, features, fold, seed)
            for (weights, shots), curve in found.items():
                curves.setdefault(weights, {}).setdefault(shots, []).append(curve)
            ticker.advance()
    best = max(curves, key=lambda weights: np.mean([_value(c) for some in curves[weights].values() for c in some]))
    chosen = curves[best]
    return Mixing(
        trust=None if refit else best[0],
        ridge=best[1],
        shifts={shots: best_common_delta(some) for shots, some in chosen.items()},
        values={
            shots: (float(np.mean([c.T1 for c in some])), float(np.mean([c.best().H for c in some])))
            for shots, some in chosen.items()
        },
    )


def learn_photos(known: Known, photos: Photos, mixing: Mixing) -> WithPhotos:
    """The head with its scores moved by photos.

    Args:
        known: the head, fitted on all training images (and on the photos, if the mixing says so).
        photos: their labels are rows of `known.classes`.
        mixing: as chosen.

    Raises:
        InputError: if a class with photos has the semantics of another unseen class.
    """
    given = known.scored(photos.features, photos.labels)
    moved, counts = np.unique(given.labels, return_counts=True)
    weights = np.zeros((len(moved), given.z.shape[1]))
    if mixing.trust is not None:
        _, weights = moves(given, known.others, mixing.trust, mixing.ridge)
    shifts = known.spread * mixing.shift(counts)
    every = known.head.check_semantics(known.classes.semantics)
    semantics = every[moved]
    rows = [row.tobytes() for row in every[~known.classes.seen]]
    for c, row in zip(moved, semantics):
        if rows.count(row.tobytes()) > 1:
            raise InputError(
                f"class {c} has the same semantics as another unseen class, so its photos would count for both: "
                "describe them differently."
            )
    return WithPhotos(known.head, known.space, semantics, known.spread * weights, shifts, counts)


def fit_with(head: Head, features: Features, benchmark: Benchmark, photos: Photos) -> Head:
    """Fit on trainval and the photos, whose labels are classes of the benchmark."""
    rows = Taken(admissible(features, benchmark), benchmark.trainval)
    both = Joined(rows, photos.features)
    labels = np.concatenate([benchmark.labels[benchmark.trainval], photos.labels])
    return head.fit(both, labels, benchmark.semantics, attributes_of(benchmark))


def draw_photos(problem: Benchmark, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `shots` images of every class of test_unseen (one image is always left), and of the others."""
    rng, chosen = np.random.default_rng(seed), []
    for c in np.unique(problem.labels[problem.test_unseen]):
        images = rng.permutation(problem.test_unseen[problem.labels[problem.test_unseen] == c])
        chosen.append(images[: min(shots, len(images) - 1)])
    photos = np.sort(np.concatenate(chosen))
    return photos, np.setdiff1d(problem.test_unseen, photos)


Found = dict[tuple[tuple[float, float], int], Curve]  # (trust, ridge) and number of photos to the curve of the rest


def _mixed(head: Head, features: Features, fold: Benchmark, seed: int) -> Found:
    fitted = _fit(head, features, fold, fold.trainval)
    known = _at_best_delta(fitted, features, fold)
    index = np.concatenate([fold.test_seen, fold.test_unseen])
    tests = known.scored(take(features, index), fold.labels[index])
    found: Found = {}
    for shots in SHOTS:
        photos, rest = (np.isin(index, rows) for rows in draw_photos(fold, shots, seed))
        given, left = tests.at(photos), tests.at(rest | np.isin(index, fold.test_seen))
        for trust, ridge in product(TRUSTS, RIDGES):
            moved, weights = moves(given, known.others, trust, ridge)
            scores = left.scores.copy()
            scores[:, moved] += left.z @ weights.T.astype(np.float32)
            found[(trust, ridge), shots] = _curve(scores, left.labels, known.classes.seen)
    return found


def _refitted(head: Head, features: Features, fold: Benchmark, seed: int) -> Found:
    known = _at_best_delta(_fit(head, features, fold, fold.trainval), features, fold)
    found: Found = {}
    for shots in SHOTS:
        photos, rest = draw_photos(fold, shots, seed)
        fitted = _fit(head, features, fold, np.concatenate([fold.trainval, photos]))
        index = np.concatenate([fold.test_seen, rest])
        scores = fitted.bind(known.classes)(take(features, index)) - np.float32(known.delta) * known.classes.seen
        found[(0.0, 0.0), shots] = _curve(scores / known.spread, fold.labels[index], known.classes.seen)
    return found


def _fit(head: Head, features: Features, fold: Benchmark, rows: np.ndarray) -> Head:
    labels = fold.labels[rows]
    return head.with_params().fit(take(admissible(features, fold), rows), labels, fold.semantics, attributes_of(fold))


def _at_best_delta(fitted: Head, features: Features, fold: Benchmark) -> Known:
    """With the best δ of the fold, from which shifts are counted."""
    bare = Known.of(fitted, features, fold, classes_of(fold), 0.0)
    index = np.concatenate([fold.test_seen, fold.test_unseen])
    scores = bare.scorer(take(features, index))
    return replace(bare, delta=_curve(scores, fold.labels[index], bare.classes.seen).best().delta)


def _curve(scores: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> Curve:
    return Curve.of(rivals(scores, seen), labels, seen)


def _value(curve: Curve) -> float:
    return 0.5 * (curve.T1 + curve.best().H)
