"""Probabilities that mean what they say, and a certainty that tells unknown classes from known ones."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zslpipe.evaluation.confidence import (
    CERTAINTIES,
    auroc,
    calibrated,
    calibration_error,
    certainty,
    fit_temperature,
    predicted,
    probabilities,
    times_as_wide,
    unknown_auroc,
    without_own_class,
)
from zslpipe.evaluation.stacking import ScoresError

Drawn = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def drawn() -> Drawn:
    """Scores (4000, 6), and labels drawn from the softmax of the scores at temperature 0.3."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4000, 6)).astype(np.float32)
    chances = probabilities(scores, 0.3)
    return scores, (chances.cumsum(1) > rng.uniform(size=(4000, 1))).argmax(1)


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_the_temperature_is_recovered_whatever_the_scale(drawn: Drawn, factor: float) -> None:
    scores, labels = drawn
    assert fit_temperature([(factor * scores, labels)]) == pytest.approx(0.3 * factor, rel=0.05)


def test_scores_that_differ_by_rounding_errors_have_no_scale() -> None:
    rounding = 1e-9 * np.random.default_rng(0).normal(size=(20, 3))
    assert fit_temperature([(5 + rounding, np.zeros(20, int))]) == 1.0
    assert times_as_wide(after=0.5, before=1e-12) == times_as_wide(after=0.5, before=0.0) == 1.0
    assert times_as_wide(after=0.0, before=0.5) == 1.0
    assert times_as_wide(after=0.5, before=0.25) == 2.0


def test_probabilities_at_the_right_temperature_are_calibrated(drawn: Drawn) -> None:
    scores, labels = drawn
    assert calibration_error(*predicted(scores, labels, 0.3)) < 0.03
    assert calibration_error(*predicted(scores, labels, 1.0)) > 0.2
    assert probabilities(scores, 1e-3).sum(1) == pytest.approx(1)


def test_no_temperature_is_infinite() -> None:
    scores = np.eye(3, dtype=np.float32)
    for labels in (np.arange(3), np.array([1, 2, 0])):  # all right, all wrong
        assert 0 < fit_temperature([(scores, labels)]) < np.inf
    assert 0 < fit_temperature([(np.zeros((3, 3), np.float32), np.arange(3))]) < np.inf


def test_calibration_error_by_hand() -> None:
    sure, right = predicted(np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]])), np.array([0, 1, 1]), 1.0)
    assert calibration_error(sure, right) == pytest.approx((2 * 0.4 + 0.3) / 3)


def test_seen_classes_pay_delta() -> None:
    seen = np.array([True, False])
    assert calibrated(np.ones((1, 2), np.float32), seen, 0.5).tolist() == [[0.5, 1.0]]
    assert calibrated(np.ones((1, 2), np.float32), seen, None).tolist() == [[1.0, 1.0]]
    with pytest.raises(ScoresError, match="NaN"):
        calibrated(np.array([[np.nan, 0]]), seen, 0.5)


def test_each_certainty_by_hand() -> None:
    scores = np.log(np.array([[1.0, 2.0, 5.0]])).astype(np.float32)
    found = {kind: certainty(scores, 1.0, kind)[0] for kind in CERTAINTIES}
    expected = {"probability": 5 / 8, "score": np.log(5), "margin": np.log(5 / 2), "energy": np.log(8)}
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", CERTAINTIES)
def test_an_image_of_a_hidden_class_is_less_certain(drawn: Drawn, kind: str) -> None:
    scores, labels = drawn
    hidden = without_own_class(scores, labels)
    assert np.isneginf(hidden[np.arange(len(labels)), labels]).all()
    area = unknown_auroc(scores, labels, np.ones(len(labels), bool), 0.3, kind)
    assert area is not None
    assert 0.55 < area < 1


def test_auroc_is_the_usual_one() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.integers(2, 9, size=50), rng.integers(0, 7, size=30)
    usual = roc_auc_score(np.repeat([1, 0], [50, 30]), np.concatenate([known, unknown]))
    assert auroc(known, unknown) == pytest.approx(usual)
    assert auroc(known, unknown[:0]) is None
    assert unknown_auroc(np.ones((3, 1)), np.zeros(3, int), np.ones(3, bool), 1.0, "score") is None
