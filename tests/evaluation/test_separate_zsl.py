"""A head whose scores among only unseen classes are not a slice of its generalised scores."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.protocol import TestScores, evaluate, evaluate_scores, score_tests
from zslpipe.evaluation.scores import read_scores, write_scores
from zslpipe.parts.head import Head, Scorer
from zslpipe.parts.problem import Classes
from zslpipe.selection.rules import UnseenClassValidation


@pytest.fixture
def two_faced(ridge: Head) -> Head:
    """Ridge regression that always prefers one class among all classes, but not among only unseen ones."""

    @dataclass
    class TwoFaced(type(ridge)):  # type: ignore[misc]
        separate_zsl = True
        bound: Any = None

        def scorer(self, classes: Classes) -> Scorer:
            score = super().scorer(classes)
            if not classes.seen.any():
                return score
            first = int(np.flatnonzero(~classes.seen)[0])
            return lambda features: score(features) + 1e3 * (np.arange(len(classes)) == first)

    return TwoFaced()


def test_t1_comes_from_the_unseen_classes_alone(two_faced: Head, ridge: Head, tiny: tuple[Benchmark, Any]) -> None:
    benchmark, features = tiny
    rows, labels = features[benchmark.trainval], benchmark.labels[benchmark.trainval]
    results = [
        evaluate(head.fit({"global": rows}, labels, benchmark.semantics), {"global": features}, benchmark)
        for head in (two_faced, ridge)
    ]
    assert results[0].T1 == results[1].T1
    assert results[0].U != results[1].U
    zsl = [c.zsl for c in results[0].classes]
    assert zsl == [c.zsl for c in results[1].classes]


def test_selection_by_t1_respects_it(two_faced: Head, ridge: Head, tiny: tuple[Benchmark, Any]) -> None:
    benchmark, features = tiny
    chosen = [
        UnseenClassValidation(criterion="T1").select(head, {"global": features}, benchmark)[0]
        for head in (two_faced, ridge)
    ]
    assert [t.value for t in chosen[0].trials] == [t.value for t in chosen[1].trials]
    assert chosen[0].metrics["H"] != chosen[1].metrics["H"]


def test_kept_scores_hold_both(two_faced: Head, tiny: tuple[Benchmark, Any], tmp_path: Path) -> None:
    benchmark, features = tiny
    rows, labels = features[benchmark.trainval], benchmark.labels[benchmark.trainval]
    tests = score_tests(two_faced.fit({"global": rows}, labels, benchmark.semantics), {"global": features}, benchmark)
    assert tests.zsl is not None
    write_scores(tmp_path, tests, benchmark)
    kept = read_scores(tmp_path)
    again = evaluate_scores(
        TestScores(tests.index, kept.labels, kept.seen, kept.scores, kept.zsl), kept.class_names, kept.delta
    )
    assert again == evaluate_scores(tests, benchmark.class_names)
    table = list(csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text())))
    unseen = [n for n, s in zip(benchmark.class_names, tests.seen) if not s]
    for row in table:
        best = max(unseen, key=lambda name: float(row[f"zsl:{name}"]))
        assert row["predicted_zsl"] == best
    assert {row["predicted"] for row in table} == {unseen[0]}
