"""The formats hold the numbers of the text table."""

import csv
import io
import re

import pytest

from zslpipe.evaluation.results_table import ORACLE, Row, results_cells
from zslpipe.evaluation.statistics import Estimate
from zslpipe.evaluation.table_formats import results_csv, results_latex, results_markdown

ROWS = [
    Row("a_run & 50 %", "unseen-class", {"T1": Estimate(0.5, 0.01, 0.4, 0.6, 2), "H": 0.25}, 0.125, 2),
    Row("", ORACLE, {"H": Estimate(0.3, None, 0.1, 0.5, 2)}, 0.2, 2, oracle=True),
    Row("", "published", {"H": 0.663}),
]


def test_csv_has_a_column_per_number_and_names_every_row() -> None:
    first, oracle, published = csv.DictReader(io.StringIO(results_csv(ROWS)))
    assert first == {
        **{"run": "a_run & 50 %", "chosen_by": "unseen-class", "oracle": "false", "seeds": "2", "delta": "0.125"},
        **{"T1": "50.00", "T1_std": "1.00", "T1_low": "40.00", "T1_high": "60.00"},
        **{"H": "25.00", "H_std": "", "H_low": "", "H_high": ""},
    }
    assert (oracle["run"], oracle["oracle"], oracle["T1"], oracle["H"]) == ("a_run & 50 %", "true", "", "30.00")
    assert oracle["H_low"] == ""  # no estimate
    assert (published["seeds"], published["delta"], published["H"]) == ("", "", "66.30")


def test_an_oracle_run_is_marked_as_such_in_csv() -> None:
    (row,) = csv.DictReader(io.StringIO(results_csv([Row("run", "oracle, not calibrated", {"H": 0.5}, 0.0, 1)])))
    assert row["oracle"] == "true"


def test_markdown_has_the_cells_of_the_text_table() -> None:
    *table, empty, note = results_markdown(ROWS).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert [cells[0], *cells[2:]] == results_cells(ROWS)
    assert cells[1] == ["---", *["---:"] * 7, "---"]  # run, five numbers, δ, seeds, rule
    assert empty == ""
    assert "upper bounds, not results" in note


def test_latex_is_escaped_and_every_line_has_all_columns() -> None:
    text = results_latex(ROWS)
    assert r"a\_run \& 50 \%" in text
    assert r"$\delta$" in text
    assert "(30.0)" in text  # the oracle's, in parentheses as everywhere
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 1 + len(ROWS)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {8}
    assert r"\begin{tabular}{lrrrrrrrl}" in text
    assert text.splitlines()[0].startswith("% percent")


@pytest.mark.parametrize("name", ["[bold]", "x" * 300])
def test_names_are_kept_as_they_are(name: str) -> None:
    from zslpipe.evaluation.results_table import results_text

    assert results_text([Row(name, "published", {"T1": 0.5})]).splitlines()[1].startswith(name)
