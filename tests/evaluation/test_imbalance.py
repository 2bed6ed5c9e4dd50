import numpy as np
import pytest
from scipy.stats import pearsonr

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.imbalance import Imbalance, PredictsSemantics, imbalance, pearson, semantic_errors
from zslpipe.evaluation.stacking import ScoresError
from zslpipe.parts.head import Head
from zslpipe.store.rows import take


def example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions (40, 7), labels of 6 classes (class 4 has no images), and semantics (6, 7)."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 3, 5], 40)
    return rng.normal(size=(40, 7)), labels, rng.random((6, 7))


@pytest.mark.parametrize("normalise", [True, False])
def test_the_error_matrix_equals_a_literal_loop(normalise: bool) -> None:
    predicted, labels, semantics = example()
    errors = semantic_errors(predicted, labels, semantics, normalise)
    for k in range(6):
        for j in range(7):
            each = []
            for row, label in zip(predicted, labels):
                if label == k:
                    a = row / np.linalg.norm(row) if normalise else row
                    b = semantics[k] / np.linalg.norm(semantics[k]) if normalise else semantics[k]
                    each.append((a[j] - b[j]) ** 2)
            assert (not each and np.isnan(errors[k, j])) or errors[k, j] == pytest.approx(np.mean(each))


def test_summaries_agree_with_scipy() -> None:
    predicted, labels, semantics = example()
    found = Imbalance(semantic_errors(predicted, labels, semantics), semantics, np.arange(6) < 3)
    errors, values = found.errors[[3, 5]], semantics[[3, 5]]  # class 4 has no images
    assert found.unseen.mean == pytest.approx(errors.mean())
    assert found.unseen.std == pytest.approx(errors.std())
    by_class = [pearsonr(e, v).statistic for e, v in zip(errors, values)]
    assert found.unseen.pearson_mean_over_classes == pytest.approx(np.mean(by_class))
    assert found.pearson_by_class[[3, 5]] == pytest.approx(by_class)
    by_semantic = [pearsonr(e, v).statistic for e, v in zip(found.errors[:3].T, semantics[:3].T)]
    assert found.seen.pearson_mean_over_semantics == pytest.approx(np.mean(by_semantic))
    assert found.seen.pearson_overall == pytest.approx(
        pearsonr(found.errors[:3].ravel(), semantics[:3].ravel()).statistic
    )


def test_errors_by_value_count_every_entry_once_and_increase_with_the_value() -> None:
    _, _, semantics = example()
    found = Imbalance(semantics**2, semantics, np.arange(6) < 3)
    bins = found.by_value(seen=True, bins=4)
    assert bins.entries.sum() == 21
    assert (np.diff(bins.value) > 0).all()
    assert (np.diff(bins.mean) > 0).all()
    assert (bins.lower_quartile <= bins.upper_quartile).all()
    assert len(found.by_value(seen=False, bins=400).entries) == 21


def test_statistics_of_untested_classes_and_constant_values_are_nan() -> None:
    found = Imbalance(np.full((3, 4), np.nan), np.ones((3, 4)), np.array([True, True, False]))
    assert np.isnan(found.seen).all()
    assert len(found.by_value(seen=True).entries) == 0
    assert np.isnan(pearson(np.ones((1, 4)), np.arange(4.0)[None]))[0]


def test_a_head_that_predicts_semantics_is_evaluated_on_the_test_images(
    ridge: Head, tiny: tuple[Benchmark, np.ndarray]
) -> None:
    benchmark, features = tiny
    rows = take({"global": features}, benchmark.trainval)
    head = ridge.fit(rows, benchmark.labels[benchmark.trainval], benchmark.semantics)
    assert isinstance(head, PredictsSemantics)
    found = imbalance(head, {"global": features}, benchmark)
    tests = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    predicted = head.predict_semantics({"global": features[tests]})
    np.testing.assert_allclose(
        found.errors, semantic_errors(predicted, benchmark.labels[tests], benchmark.semantics), rtol=1e-6
    )


def test_a_head_is_compared_with_its_transformed_targets(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny

    class Perfect:
        def predict_semantics(self, features: object) -> np.ndarray:
            tests = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
            return 5 * (benchmark.semantics[benchmark.labels[tests]] - 0.3)

        def semantic_targets(self, semantics: np.ndarray) -> np.ndarray:
            return semantics - 0.3

    found = imbalance(Perfect(), {"global": features}, benchmark, "predicted")
    assert found.seen.mean == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.values, benchmark.semantics - 0.3)


def test_in_the_raw_frame_the_centre_is_added_back(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    centre = benchmark.semantics[:9].mean(0)
    length = np.linalg.norm(benchmark.semantics[:9] - centre, axis=1).mean()
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=(len(benchmark.test_seen) + len(benchmark.test_unseen), 6))

    class Centred:
        def predict_semantics(self, features: object) -> np.ndarray:
            return predicted

        def semantic_targets(self, semantics: np.ndarray) -> np.ndarray:
            return semantics - centre

    found = imbalance(Centred(), {"global": features}, benchmark)
    index = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    raw = np.array([length * row / np.linalg.norm(row) + centre for row in predicted])
    np.testing.assert_allclose(
        found.errors, semantic_errors(raw, benchmark.labels[index], benchmark.semantics), rtol=1e-5
    )
    np.testing.assert_array_equal(found.values, benchmark.semantics)


def test_a_diverged_head_is_reported() -> None:
    with pytest.raises(ScoresError, match="diverged"):
        semantic_errors(np.full((1, 2), np.nan), np.array([0]), np.ones((1, 2)))
