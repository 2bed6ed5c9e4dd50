"""Properties of metrics and curves for any scores."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.metrics import accuracies

Problem = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def problems(draw: st.DrawFn, ties: bool = True) -> Problem:
    """Scores (multiples of 1/8, so that sums are exact), labels and seen classes; both kinds of classes occur."""
    classes, images = draw(st.integers(2, 7)), draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seen = np.zeros(classes, bool)
    seen[rng.permutation(classes)[: draw(st.integers(1, classes - 1))]] = True
    labels = np.concatenate([[np.flatnonzero(seen)[0], np.flatnonzero(~seen)[0]], rng.integers(classes, size=images)])
    signal = draw(st.sampled_from([0, 3, 8]))
    if ties:
        noise = rng.integers(-12, 12, size=(len(labels), classes)) / 8
    else:
        noise = rng.permuted(np.arange(len(labels) * classes)).reshape(len(labels), classes) / 8
        signal += 0.5
    return noise + signal / 8 * np.eye(classes)[labels], labels, seen


def numbers(problem: Problem, delta: float) -> list[float]:
    a = accuracies(*problem, delta=delta)
    curve = Curve.of(*problem)
    return [a.T1, a.U, a.S, a.H, curve.ausuc(), curve.best().H]


deltas = st.integers(-40, 40).map(lambda n: n / 8)


@given(problems(), deltas, st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(problem: Problem, delta: float, random: object) -> None:
    scores, labels, seen = problem
    order = np.random.default_rng(random.randrange(2**32)).permutation(len(labels))  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        numbers((scores[order], labels[order], seen), delta), numbers(problem, delta), atol=1e-12
    )


@given(problems(ties=False), deltas, st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(problem: Problem, delta: float, random: object) -> None:
    scores, labels, seen = problem
    order = np.random.default_rng(random.randrange(2**32)).permutation(len(seen))  # type: ignore[attr-defined]
    permuted = scores[:, order], np.argsort(order)[labels], seen[order]
    np.testing.assert_allclose(numbers(permuted, delta), numbers(problem, delta), atol=1e-12)


@given(problems(), deltas)
def test_the_curve_agrees_with_the_metrics(problem: Problem, delta: float) -> None:
    a, point = accuracies(*problem, delta=delta), Curve.of(*problem).at(delta)
    np.testing.assert_allclose([a.U, a.S, a.H], point[1:], atol=1e-12)


@given(problems())
def test_no_grid_finds_a_better_h(problem: Problem) -> None:
    scores, labels, seen = problem
    best = Curve.of(*problem).best()
    grid = np.arange(-60, 61) / 16  # at and between the ties
    assert best.H >= max(accuracies(scores, labels, seen, d).H for d in grid) - 1e-12
    np.testing.assert_allclose(accuracies(*problem, delta=best.delta).H, best.H, atol=1e-12)


@given(problems())
def test_along_the_curve_unseen_accuracy_increases_and_seen_accuracy_decreases(problem: Problem) -> None:
    curve = Curve.of(*problem)
    assert (np.diff(curve.unseen_accuracy) >= 0).all()
    assert (np.diff(curve.seen_accuracy) <= 0).all()
    assert (np.diff(curve.thresholds) > 0).all()
    assert 0 <= curve.ausuc() <= 1 + 1e-12


@given(problems(), deltas, st.integers(-8, 8))
def test_adding_a_constant_to_all_scores_changes_nothing(problem: Problem, delta: float, shift: int) -> None:
    scores, labels, seen = problem
    assert numbers((scores + shift, labels, seen), delta) == numbers(problem, delta)
