import json

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.metrics import accuracies
from zslpipe.evaluation.protocol import Result, evaluate, evaluate_scores, score_tests
from zslpipe.evaluation.stacking import ScoresError
from zslpipe.parts.head import Head
from zslpipe.store.rows import take


def fitted(head: Head, benchmark: Benchmark, features: np.ndarray) -> Head:
    rows = take({"global": features}, benchmark.trainval)
    return head.fit(rows, benchmark.labels[benchmark.trainval], benchmark.semantics)


def test_numbers_are_those_of_the_metrics(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    head = fitted(ridge, benchmark, features)
    result = evaluate(head, {"global": features}, benchmark, delta=0.3)
    tests = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    scores = head.decision_function({"global": features[tests]}, benchmark.semantics)
    direct = accuracies(scores, benchmark.labels[tests], np.arange(12) < 9, 0.3)
    assert (result.T1, result.U, result.S, result.H) == (direct.T1, direct.U, direct.S, direct.H)
    assert result.uncalibrated.U == accuracies(scores, benchmark.labels[tests], np.arange(12) < 9).U
    assert result.oracle is not None
    assert result.oracle.H >= max(result.H, result.uncalibrated.H)
    assert result.images == {"seen": 18, "unseen": 30}


def test_class_accuracies_average_to_the_table(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    result = evaluate(fitted(ridge, benchmark, features), {"global": features}, benchmark, delta=0.3)

    def mean(column: str, seen: bool) -> float:
        return float(np.mean([getattr(c, column) for c in result.classes if c.seen == seen]))

    assert mean("accuracy", True) == pytest.approx(result.S)
    assert mean("accuracy", False) == pytest.approx(result.U)
    assert mean("zsl", False) == pytest.approx(result.T1)
    assert mean("uncalibrated", True) == pytest.approx(result.uncalibrated.S)
    assert mean("oracle", False) == pytest.approx(result.oracle.U)  # type: ignore[union-attr]


def test_no_delta_means_no_calibration(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    result = evaluate(fitted(ridge, benchmark, features), {"global": features}, benchmark)
    assert result.delta is None
    assert (result.U, result.S, result.H) == result.uncalibrated[1:]


def test_a_result_survives_json(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    usable = ~np.isin(benchmark.labels, [2, 10]) | np.isin(np.arange(120), benchmark.trainval)
    result = evaluate(fitted(ridge, benchmark, features), {"global": features}, benchmark, 0.1, usable)
    text = json.dumps(result.to_json(), allow_nan=False)
    again = Result.from_json(json.loads(text))
    assert again.to_json() == result.to_json()
    assert again.oracle == result.oracle
    assert again.classes == result.classes


def test_classes_whose_images_failed_stay_in_the_contest_and_are_told(
    ridge: Head, tiny: tuple[Benchmark, np.ndarray]
) -> None:
    benchmark, features = tiny
    head = fitted(ridge, benchmark, features)
    usable = benchmark.labels != 10
    spoiled = np.where(usable[:, None], features, np.nan)
    result = evaluate(head, {"global": spoiled}, benchmark, 0.1, usable)
    assert result.without_images == ("class 10",)
    assert result.classes[10].accuracy is None
    tests = score_tests(head, {"global": spoiled}, benchmark.keep(usable))
    assert tests.scores.shape[1] == 12  # class 10 can still be predicted
    assert not tests.seen[10]


def test_failed_rows_that_reach_the_scores_are_an_error(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    head = fitted(ridge, benchmark, features)
    spoiled = features.copy()
    spoiled[benchmark.test_unseen[0]] = np.nan
    with pytest.raises(ScoresError, match="image 18"):
        evaluate(head, {"global": spoiled}, benchmark)


def test_a_benchmark_without_seen_test_images_has_only_t1_and_u(
    ridge: Head, tiny: tuple[Benchmark, np.ndarray]
) -> None:
    benchmark, features = tiny
    head = fitted(ridge, benchmark, features)
    usable = ~np.isin(np.arange(120), benchmark.test_seen)
    result = evaluate(head, {"global": features}, benchmark, 0.1, usable)
    assert result.T1 is not None
    assert result.U is not None
    assert (result.S, result.H, result.AUSUC, result.oracle) == (None, None, None, None)
    json.dumps(result.to_json(), allow_nan=False)


def test_scores_are_left_as_they_are(ridge: Head, tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, features = tiny
    tests = score_tests(fitted(ridge, benchmark, features), {"global": features}, benchmark)
    before = tests.scores.copy()
    evaluate_scores(tests, benchmark.class_names, 0.7)
    assert (tests.scores == before).all()
