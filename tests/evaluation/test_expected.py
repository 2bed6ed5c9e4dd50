from itertools import combinations

import numpy as np
import pytest

from zslpipe.evaluation import expected as module
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.expected import Expected, best_expected_delta, h_of
from zslpipe.evaluation.protocol import TestScores
from zslpipe.evaluation.stacking import rivals

SEEN = np.array([True, False, True, True, False, False])


def drawn(others: int | None, seed: int = 0) -> TestScores:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(6), rng.integers(6, size=24)])
    scores = rng.normal(size=(30, 6)) + 1.2 * np.eye(6)[labels]
    more = None if others is None else rng.normal(size=(30, others))
    return TestScores(np.arange(30), labels, SEEN, scores.round(1), None, None if more is None else more.round(1))


def literal(tests: TestScores, count: int, delta: float) -> tuple[float, float, float]:
    """U, S and the flipped share at δ, by going through every set of rivals."""
    more = np.empty((30, 0)) if tests.others is None else tests.others
    unseen = np.hstack([tests.scores[:, ~SEEN], more])
    column = {int(c): i for i, c in enumerate(np.flatnonzero(~SEEN))}
    seen_columns = np.flatnonzero(SEEN)
    right: dict[int, list[float]] = {c: [] for c in range(6)}
    flipped = []
    for n, label in enumerate(tests.labels.tolist()):
        best = seen_columns[tests.scores[n, seen_columns].argmax()]
        smax = tests.scores[n, best]
        if SEEN[label]:
            sets = [list(s) for s in combinations(range(unseen.shape[1]), count)]
            is_seen = [smax - unseen[n, s].max() > delta for s in sets]
            right[label].append(np.mean([s and best == label for s in is_seen]))
            flipped.append(1 - np.mean(is_seen))
        else:
            own = column[label]
            rest = [i for i in range(unseen.shape[1]) if i != own]
            wins = [(unseen[n, list(s)] < unseen[n, own]).all() for s in combinations(rest, count - 1)]
            right[label].append(np.mean(wins) * (smax - unseen[n, own] <= delta))
    u, s = (np.mean([np.mean(right[c]) for c in np.flatnonzero(side)]) for side in (~SEEN, SEEN))
    return float(u), float(s), float(np.mean(flipped))


@pytest.mark.parametrize(("others", "count"), [(None, 1), (None, 2), (None, 3), (4, 1), (4, 3), (4, 7)])
def test_the_curve_is_the_mean_over_all_sets_of_rivals(others: int | None, count: int) -> None:
    tests = drawn(others)
    curve = Expected.of(tests, count)
    for delta in (-3.05, -0.75, -0.05, 0.35, 0.85, 2.15, 9.0):
        i = int(curve.step(delta))
        found = curve.unseen_accuracy[i], curve.seen_accuracy[i], curve.flipped[i]
        assert found == pytest.approx(literal(tests, count, delta), abs=1e-12)


def test_with_the_classes_of_the_fold_it_is_the_curve_of_the_fold() -> None:
    rng = np.random.default_rng(1)
    tests = drawn(None)
    tests = TestScores(tests.index, tests.labels, SEEN, tests.scores + 1e-6 * rng.normal(size=tests.scores.shape))
    curve, plain = Expected.of(tests, 3), Curve.of(rivals(tests.scores, SEEN), tests.labels, SEEN)
    at = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(curve.unseen_accuracy[curve.step(at)], plain.unseen_accuracy[plain.step(at)], atol=1e-12)
    np.testing.assert_allclose(curve.seen_accuracy[curve.step(at)], plain.seen_accuracy[plain.step(at)], atol=1e-12)
    assert best_expected_delta([curve]) == pytest.approx(plain.best().delta)


def test_more_classes_than_are_scored_are_as_many_as_are_scored() -> None:
    tests = drawn(2)
    most, more = Expected.of(tests, 5), Expected.of(tests, 50)
    assert (most.flipped == more.flipped).all()


def test_more_unseen_classes_flip_more_seen_images() -> None:
    tests = drawn(6)
    shares = [Expected.of(tests, count).flipped_at(0.0) for count in range(1, 10)]
    assert np.all(np.diff(shares) > 0)


def test_a_long_curve_is_thinned_out_along_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = drawn(8)
    whole = Expected.of(tests, 4)
    monkeypatch.setattr(module, "STEPS", 60)
    thin = Expected.of(tests, 4)
    assert len(thin.thresholds) <= 60 < len(whole.thresholds)
    at = np.linspace(-4, 4, 80)
    for name in ("unseen_accuracy", "seen_accuracy", "flipped"):
        values, exact = (getattr(curve, name)[curve.step(at)] for curve in (thin, whole))
        assert np.abs(values - exact).max() < 3 / 60
        assert values[[0, -1]] == pytest.approx(exact[[0, -1]])
    assert (
        h_of([whole], np.array([best_expected_delta([thin])]))
        > h_of([whole], np.array([best_expected_delta([whole])])) - 0.02
    )
