import numpy as np
import pytest

from zslpipe.evaluation.curve import Curve, best_common_delta, delta_flipping, middle_of_best, share_flipped
from zslpipe.evaluation.metrics import accuracies
from zslpipe.evaluation.stacking import ScoresError


def example(seed: int = 0, images: int = 300, classes: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, images, p=rng.dirichlet(np.ones(classes)))
    scores = rng.normal(size=(images, classes)) + 2 * np.eye(classes)[labels]
    return scores.astype(np.float32), labels, np.arange(classes) % 3 > 0


def grid(scores: np.ndarray, labels: np.ndarray, seen: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """(U, S, H) from an argmax at each of `deltas`."""
    points = []
    for delta in deltas:
        predicted = (scores.astype(np.float64) - delta * seen).argmax(1)
        right = predicted == labels
        sides = [
            np.mean([right[labels == c].mean() for c in np.flatnonzero(kind) if (labels == c).any()])
            for kind in (~seen, seen)
        ]
        points.append((*sides, 2 * np.prod(sides) / max(sum(sides), 1e-300)))
    return np.array(points)


def test_every_point_equals_an_argmax() -> None:
    scores, labels, seen = example()
    deltas = np.linspace(-6, 6, 201)
    curve = Curve.of(scores, labels, seen)
    np.testing.assert_allclose([curve.at(d)[1:] for d in deltas], grid(scores, labels, seen, deltas), atol=1e-12)


def test_both_ends_are_reached() -> None:
    scores, labels, seen = example()
    curve = Curve.of(scores, labels, seen)
    only_seen = np.where(seen, scores, -1e9)[seen[labels]].argmax(1) == labels[seen[labels]]
    each = [only_seen[labels[seen[labels]] == c].mean() for c in np.unique(labels[seen[labels]])]
    assert curve.at(-np.inf).S == pytest.approx(np.mean(each))
    assert curve.unseen_accuracy[0] == curve.seen_accuracy[-1] == 0.0  # exactly
    assert curve.T1 == pytest.approx(accuracies(scores, labels, seen).T1)


def test_at_a_threshold_the_unseen_class_wins() -> None:
    # One seen image with margin 2, one unseen image with margin 1, both correct among classes of their own kind.
    scores = np.array([[3.0, 1.0], [1.0, 0.0]])
    curve = Curve.of(scores, np.array([0, 1]), np.array([True, False]))
    assert curve.thresholds.tolist() == [1.0, 2.0]
    assert curve.at(np.nextafter(1, 0))[1:3] == (0, 1)
    assert curve.at(1.0)[1:3] == (1, 1)
    assert curve.at(np.nextafter(2, 0))[1:3] == (1, 1)
    assert curve.at(2.0)[1:3] == (1, 0)
    assert curve.best() == (1.5, 1, 1, 1)  # the middle of the plateau
    assert curve.ausuc() == 1


def test_best_is_in_the_middle_of_the_widest_plateau() -> None:
    scores, labels, seen = example(3)
    curve = Curve.of(scores, labels, seen)
    best = curve.best()
    assert best.H == curve.H.max()
    step = int(curve.step(best.delta))
    low, high = curve.thresholds[step - 1], curve.thresholds[step]
    assert best.delta == pytest.approx((low + high) / 2)


def test_the_exact_area_is_the_limit_of_a_fine_grid() -> None:
    scores, labels, seen = example()
    u, s, _ = grid(scores, labels, seen, np.linspace(-12, 12, 6001)).T
    sampled = float(np.sum(np.diff(u) * (s[1:] + s[:-1]) / 2))
    assert Curve.of(scores, labels, seen).ausuc() == pytest.approx(sampled, abs=1e-4)


def test_trapezoid_and_step_agree_without_ties() -> None:
    scores, labels, seen = example()
    curve = Curve.of(scores, labels, seen)
    assert len(np.unique(curve.thresholds)) == len(curve.thresholds)
    step = float(np.sum(np.diff(curve.unseen_accuracy) * curve.seen_accuracy[1:]))
    assert curve.ausuc() == pytest.approx(step, abs=1e-12)


def test_tied_thresholds_are_one_step_with_the_mean_area_over_orders() -> None:
    scores = np.array([[1.0, 0.0], [1.0, 0.0]])  # both margins are 1
    curve = Curve.of(scores, np.array([0, 1]), np.array([True, False]))
    assert len(curve.thresholds) == 1
    assert curve.ausuc() == 0.5


def test_no_correct_prediction_gives_zero() -> None:
    scores = np.array([[0.0, 1, 0, 1], [1, 0, 1, 0]])
    labels, seen = np.array([0, 3]), np.array([True, True, False, False])
    curve = Curve.of(scores, labels, seen)
    assert curve.best() == (0.0, 0.0, 0.0, 0.0)
    assert curve.ausuc() == 0


def test_a_curve_needs_seen_and_unseen_images() -> None:
    scores, labels, seen = example()
    with pytest.raises(ScoresError, match="both kinds"):
        Curve.of(scores[seen[labels]], labels[seen[labels]], seen)


def test_one_delta_for_several_curves_maximises_their_mean() -> None:
    curves = [Curve.of(*example(seed)) for seed in range(3)]
    delta = best_common_delta(curves)
    mean = np.mean([c.at(delta).H for c in curves])
    assert mean >= max(np.mean([c.at(d).H for c in curves]) for d in np.linspace(-6, 6, 997))
    assert best_common_delta(curves[:1]) == curves[0].best().delta


def test_share_and_delta_are_inverse() -> None:
    margins = np.random.default_rng(0).normal(size=401)
    assert share_flipped(margins, delta_flipping(margins, 0.3)) == pytest.approx(0.3, abs=1 / 400)
    assert share_flipped(np.array([1.0, 2.0]), 1.0) == 0.5  # a margin equal to δ does not exceed it


@pytest.mark.parametrize("margins", [[], [1.0, np.inf], [-np.inf, -np.inf]])
def test_no_delta_comes_from_margins_without_a_rival(margins: list[float]) -> None:
    with pytest.raises(ScoresError, match="classes of both kinds"):
        delta_flipping(np.array(margins), 0.2)


def test_chances_near_zero_choose_no_delta() -> None:
    """With 50,000 classes an image may be expected to be right once in 1e200 draws."""
    assert middle_of_best(np.array([1.0, 2.0]), np.array([0.0, 2e-200, 1e-17])) == 0.0
