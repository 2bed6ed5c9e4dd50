import numpy as np
import pytest

from zslpipe.evaluation.protocol import Result, TestScores, evaluate_scores
from zslpipe.evaluation.results_table import ORACLE, Row, result_rows, results_text


def result(seed: int, delta: float | None = 0.2) -> Result:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(8), 20)
    scores = rng.normal(size=(len(labels), 8)) + 1.5 * np.eye(8)[labels] + 0.8 * (np.arange(8) < 5)
    names = tuple(f"class {c}" for c in range(8))
    return evaluate_scores(TestScores(np.arange(len(labels)), labels, np.arange(8) < 5, scores), names, delta)


def test_the_validated_row_is_first_and_the_oracle_is_marked() -> None:
    results = [result(s) for s in range(3)]
    rows = result_rows("cub-remse", results, "unseen-class", {"H": 0.663})
    assert [r.rule for r in rows] == ["unseen-class", ORACLE, "published"]
    assert [r.oracle for r in rows] == [False, True, False]
    lines = results_text(rows).splitlines()
    h = np.mean([r.H for r in results])
    assert f"{100 * h:.1f} [" in lines[1]
    assert "cub-remse" in lines[1]
    assert "unseen-class" in lines[1]
    best = np.mean([r.oracle.H for r in results])  # type: ignore[union-attr]
    assert f"({100 * best:.1f})" in lines[2]
    assert "oracle" in lines[2]
    assert "66.3" in lines[3]
    assert "upper bounds, not results" in lines[-1]
    assert "single seed" not in lines[-1]


@pytest.mark.parametrize("rule", ["oracle", "seen"])
def test_without_a_validated_calibration_the_first_row_is_at_zero(rule: str) -> None:
    results = [result(0, delta=1.0 if rule == "oracle" else None)]
    rows = result_rows("run", results, rule)
    assert "not calibrated" in rows[0].rule
    assert rows[0].delta == 0
    assert not rows[0].oracle
    assert rows[0].numbers["H"].mean == results[0].uncalibrated.H  # type: ignore[union-attr]
    assert rows[1].oracle
    assert "over classes only for a single seed" in results_text(rows)


def test_empty_columns_are_omitted() -> None:
    text = results_text([Row("zsl", "published", {"T1": 0.5})])
    assert "AUSUC" not in text
    assert "50.0" in text


def test_long_names_are_not_wrapped() -> None:
    name = "CUB50-dense-attention-ae-" + 10 * "20261121-"
    assert results_text([Row(name, "published", {"T1": 0.5})]).splitlines()[1].startswith(name)
