"""What a selection learns about confidence comes from the folds, and fits the refitted head."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.confidence import CERTAINTIES, calibrated, fit_temperature
from zslpipe.evaluation.protocol import TestScores
from zslpipe.parts.head import Head
from zslpipe.selection import SelectionResult
from zslpipe.selection import confidence as module
from zslpipe.selection.confidence import ROWS, Contenders, FoldScores, learn_confidence
from zslpipe.selection.rules import OracleTest, SeenValidation, UnseenClassValidation

Tiny = tuple[Benchmark, np.ndarray]


def drawn_tests(images: int, classes: int = 5, scale: float = 1.0, seed: int = 0) -> TestScores:
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(classes, size=images))
    scores = rng.normal(size=(images, classes)) + 2 * np.eye(classes)[labels]
    return TestScores(np.arange(images), labels, np.arange(classes) < 3, (scale * scores).astype(np.float32))


def test_a_selection_says_how_sure_its_head_is(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = UnseenClassValidation().select(ridge, {"global": features}, benchmark)
    sure = choice.confidence
    assert sure is not None
    assert sure.temperature > 0
    assert sure.certainty in CERTAINTIES
    assert sure.ece < sure.ece_uncalibrated
    assert sure.auroc is not None
    assert 0.5 < sure.auroc < 1
    again = SelectionResult.from_json(json.loads(json.dumps(choice.to_json(), allow_nan=False)))
    assert again.confidence == sure


def test_rules_without_calibration_have_none(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    for rule in (SeenValidation(), OracleTest()):
        assert rule.select(ridge, {"global": features}, benchmark)[0].confidence is None


def test_choices_saved_without_it_are_read(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = UnseenClassValidation().select(ridge, {"global": features}, benchmark)
    old = {k: v for k, v in choice.to_json().items() if k != "confidence"}
    assert SelectionResult.from_json(old) == replace(choice, confidence=None)


def test_the_temperature_follows_the_scale_of_the_refitted_head() -> None:
    tests = drawn_tests(600)
    folds = [FoldScores.of(tests, 0.0)]
    seen = tests.seen[tests.labels]
    for scale in (1.0, 0.1, 20.0):
        held = TestScores(tests.index[seen], tests.labels[seen], tests.seen, scale * tests.scores[seen])
        found = learn_confidence(folds, held, 0.0)
        assert found.temperature == pytest.approx(scale * learn_confidence(folds, None, 0.0).temperature, rel=1e-5)
        assert found.threshold == pytest.approx(learn_confidence(folds, None, 0.0).threshold, abs=0.05)


def test_the_threshold_accepts_most_known_images() -> None:
    tests = drawn_tests(2000)
    found = learn_confidence([FoldScores.of(tests, 0.0)], None, 0.0)
    sure = module.certainty(tests.scores, found.temperature, found.certainty)
    assert np.mean(sure >= found.threshold) == pytest.approx(0.95, abs=0.002)


def test_a_fold_is_calibrated_and_thinned() -> None:
    tests = drawn_tests(3 * ROWS)
    kept = FoldScores.of(tests, 0.7)
    assert len(kept.labels) == ROWS
    assert np.array_equal(np.unique(kept.labels), np.unique(tests.labels))
    whole = calibrated(tests.scores, tests.seen, 0.7)
    assert np.array_equal(kept.scores[0], whole[0])
    assert fit_temperature([(kept.scores, kept.labels)]) == pytest.approx(
        fit_temperature([(whole, tests.labels)]), rel=0.05
    )


def test_only_the_best_settings_are_kept_and_the_winner_in_the_last_fold() -> None:
    scores = FoldScores.of(drawn_tests(4), 0.0)
    values = np.random.default_rng(0).uniform(size=(3, 40)).round(1)  # with ties
    contenders = Contenders()
    for fold in range(3):
        contenders.next_fold()
        for setting in range(40):
            contenders.add(str(setting), values[: fold + 1, setting].mean(), scores)
        assert len(contenders.folds[fold]) == module.CONTENDERS
    assert contenders.of(str(values.mean(0).argmax()))
    assert contenders.of("none") == []


def test_without_unseen_classes_there_is_no_delta_but_a_temperature(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    kept = benchmark.labels < 9
    only_seen = replace(
        benchmark,
        class_names=benchmark.class_names[:9],
        semantics=benchmark.semantics[:9],
        labels=np.where(kept, benchmark.labels, -1),
        test_unseen=np.empty(0, np.int64),
    )
    choice, _ = UnseenClassValidation().select(ridge, {"global": features}, only_seen)
    assert choice.delta is None
    assert choice.confidence is not None
    assert np.isfinite(choice.confidence.temperature)
    assert np.isfinite(choice.confidence.threshold)
