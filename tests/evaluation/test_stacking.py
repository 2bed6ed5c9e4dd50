import numpy as np
import pytest

from zslpipe.evaluation.stacking import ScoresError, rivals

SEEN = np.array([True, False, True, False])


def test_a_tie_goes_to_the_unseen_class() -> None:
    both = rivals(np.array([[1.0, 1.0, 0.0, 0.0], [3.0, 1.0, 0.0, 0.0]]), SEEN)
    assert both.predict(0.0).tolist() == [1, 0]  # s - 0 > u is false if s equals u
    assert both.predict(2.0).tolist() == [1, 1]
    assert both.predict(np.nextafter(2.0, 0)).tolist() == [1, 0]


def test_predictions_equal_an_argmax_over_calibrated_scores() -> None:
    scores = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    for delta in (-1.5, 0.0, 0.3, 4.0):
        literal = (scores.astype(np.float64) - delta * SEEN).argmax(1)
        assert (rivals(scores, SEEN).predict(delta) == literal).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_reported_with_image_and_class(bad: float) -> None:
    scores = np.zeros((5, 4))
    scores[3, 2] = bad
    with pytest.raises(ScoresError, match="image 3 and class 2"):
        rivals(scores, SEEN)


def test_scores_are_not_changed() -> None:
    scores = np.random.default_rng(0).normal(size=(9, 4))
    scores.flags.writeable = False
    before = scores.copy()
    rivals(scores, SEEN).predict(0.7)
    assert (scores == before).all()


def test_with_one_kind_of_classes_that_kind_always_wins() -> None:
    scores = np.random.default_rng(0).normal(size=(9, 4))
    assert (rivals(scores, np.ones(4, bool)).predict(1e9) == scores.argmax(1)).all()
    assert (rivals(scores, np.zeros(4, bool)).predict(-1e9) == scores.argmax(1)).all()


def test_mismatched_shapes_are_rejected() -> None:
    with pytest.raises(ScoresError, match=r"scores of 3 classes, but 4"):
        rivals(np.zeros((2, 3)), SEEN)
    with pytest.raises(ScoresError, match="shape"):
        rivals(np.zeros(3), SEEN)
    with pytest.raises(ScoresError, match="no classes"):
        rivals(np.zeros((2, 0)), np.zeros(0, bool))
