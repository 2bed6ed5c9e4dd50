import warnings

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from zslpipe.evaluation.metrics import accuracies, harmonic_mean, per_class, top1
from zslpipe.evaluation.stacking import ScoresError


def example(seed: int = 0, images: int = 300, classes: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with some signal, labels of unequal frequency; the first 8 classes are seen."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.choice(classes, images, p=rng.dirichlet(np.ones(classes)))])
    scores = rng.normal(size=(len(labels), classes)) + 2 * np.eye(classes)[labels]
    return scores, labels, np.arange(classes) < 8


def literal(scores: np.ndarray, labels: np.ndarray, candidates: list[int], tested: list[int]) -> float:
    """Class by class, image by image."""
    accuracies = []
    for c in tested:
        right = total = 0
        for row, label in zip(scores, labels):
            if label == c:
                total += 1
                right += max(candidates, key=lambda k: row[k]) == c
        if total:
            accuracies.append(right / total)
    return sum(accuracies) / len(accuracies)


def test_against_a_literal_loop() -> None:
    scores, labels, seen = example()
    everything, seen_classes, unseen_classes = list(range(12)), list(range(8)), list(range(8, 12))
    result = accuracies(scores, labels, seen, delta=0.4)
    calibrated = scores - 0.4 * seen
    assert result.T1 == pytest.approx(literal(scores, labels, unseen_classes, unseen_classes))
    assert result.U == pytest.approx(literal(calibrated, labels, everything, unseen_classes))
    assert result.S == pytest.approx(literal(calibrated, labels, everything, seen_classes))
    assert result.H == pytest.approx(2 * result.U * result.S / (result.U + result.S))


def test_against_balanced_accuracy_of_sklearn() -> None:
    scores, labels, seen = example()
    result = accuracies(scores, labels, seen)
    predicted = scores.argmax(1)
    of_seen = seen[labels]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some predicted classes do not occur in the labels
        assert result.S == pytest.approx(balanced_accuracy_score(labels[of_seen], predicted[of_seen]))
        assert result.U == pytest.approx(balanced_accuracy_score(labels[~of_seen], predicted[~of_seen]))
        assert top1(scores, labels).mean == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_classes_without_images_are_reported_and_not_averaged() -> None:
    scores, labels, seen = example()
    keep = ~np.isin(labels, [2, 9])
    result = accuracies(scores[keep], labels[keep], seen)
    assert result.seen.without_images.tolist() == [2]
    assert result.unseen.without_images.tolist() == result.zsl.without_images.tolist() == [9]
    assert np.isnan(result.seen.accuracy[2])
    assert pytest.approx(np.delete(result.seen.accuracy, 2).mean()) == result.S


def test_metrics_without_images_are_nan_not_zero() -> None:
    scores, labels, seen = example()
    result = accuracies(scores[~seen[labels]], labels[~seen[labels]], seen)
    assert np.isnan(result.S)
    assert np.isnan(result.H)
    assert result.U > 0


def test_harmonic_mean_of_zero_and_nan() -> None:
    assert harmonic_mean(0.0, 0.0) == 0
    assert harmonic_mean(np.array([0.5, 0.0]), np.array([0.5, 1.0])).tolist() == [0.5, 0.0]
    assert np.isnan(harmonic_mean(np.nan, 0.0))


def test_labels_out_of_range_are_rejected() -> None:
    scores, labels, seen = example()
    with pytest.raises(ScoresError, match="labels range from -1"):
        accuracies(scores, np.where(labels == 3, -1, labels), seen)
    with pytest.raises(ScoresError, match="311 labels"):
        accuracies(scores, labels[1:], seen)


def test_images_of_other_classes_are_ignored() -> None:
    counted = per_class(np.array([0, 0, 5, 1]), np.array([0, 1, 5, -1]), np.array([0, 1]))
    assert counted.count.tolist() == [1, 1]
    assert counted.correct.tolist() == [1, 0]


def test_results_do_not_depend_on_the_type_of_the_scores() -> None:
    scores, labels, seen = example()
    integers = np.round(scores * 8)
    results = [accuracies(integers.astype(t), labels, seen, 3.0) for t in (np.float16, np.float32, np.float64)]
    assert len({(r.T1, r.U, r.S) for r in results}) == 1
