"""Results as text tables: the validated row first, then the oracle's, marked as such, then published numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zslpipe.evaluation.imbalance import ErrorSummary
from zslpipe.evaluation.protocol import Result
from zslpipe.evaluation.statistics import Estimate, estimate

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("T1", "U", "S", "H", "AUSUC")
ORACLE = "oracle (chosen on the test images)"
UNMEASURED = "-"
LINE_LENGTH = 1000  # so that names are never wrapped and can be copied


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: name of the run; empty if it is the same as in the row above.
        rule: what chose the settings and the calibration.
        numbers: values in [0, 1] by column; plain floats have no interval.
        delta: mean calibration over the seeds, None if unknown.
        seeds: number of seeds, None if unknown.
        oracle: chosen on test images: an upper bound, not a result.
    """

    name: str
    rule: str
    numbers: Mapping[str, Estimate | float]
    delta: float | None = None
    seeds: int | None = None
    oracle: bool = False


def result_rows(
    name: str, results: Sequence[Result], rule: str, published: Mapping[str, float] | None = None
) -> list[Row]:
    """The rows of one run.

    The first row is at the calibration chosen by `rule` without test images (at δ = 0 if there is none, or if the rule
    is the oracle), the second at the best calibration on the test images, the third are the published numbers.

    Args:
        name: name of the run.
        results: one per seed.
        rule: what chose the settings and the calibration.
        published: published numbers in [0, 1] by column.
    """
    by_oracle = rule.startswith("oracle")
    uncalibrated = by_oracle or any(r.delta is None for r in results)
    at = "uncalibrated" if uncalibrated else "accuracy"
    shown = f"{rule}, not calibrated" if uncalibrated else rule
    delta = 0.0 if uncalibrated else _mean_delta(results)
    has_unseen = any(not c.seen for c in results[0].classes)
    rows = [Row(name, shown, estimate(results, at), delta if has_unseen else None, len(results))]
    if all(r.oracle is not None for r in results):
        best = {k: v for k, v in estimate(results, "oracle").items() if k in ("U", "S", "H")}
        delta = sum(r.oracle.delta for r in results if r.oracle is not None) / len(results)
        rows.append(Row("", ORACLE, best, delta, len(results), oracle=True))
    if published:
        rows.append(Row("", "published", published))
    return rows


def _mean_delta(results: Sequence[Result]) -> float:
    return sum(r.delta or 0.0 for r in results) / len(results)


def results_table(rows: Sequence[Row]) -> "Table":
    """A rich table of the rows: percentages with 95 % intervals."""
    from rich.table import Table

    columns = COLUMNS if any(row.numbers.keys() - {"T1"} for row in rows) else ("T1",)
    table = Table(box=None, header_style="bold", pad_edge=False, caption_justify="left")
    table.add_column("run")
    for column in (*columns, "δ", "seeds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("chosen by")
    for row in rows:
        absent = UNMEASURED if row.seeds is not None and not row.oracle else ""
        cells = [_cell(row.numbers[c], row.oracle) if c in row.numbers else absent for c in columns]
        delta = absent if row.delta is None else f"{row.delta:.3g}"
        seeds = "" if row.seeds is None else str(row.seeds)
        table.add_row(row.name, *cells, delta, seeds, row.rule, style="dim" if row.oracle else None)
    return table


def errors_text(runs: Mapping[str, Mapping[str, ErrorSummary]]) -> str:
    """Text table of the semantic errors of each run, for seen and unseen classes."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("semantic errors", "classes", "mean", "std", "r with value"):
        table.add_column(column, justify="left" if column in ("semantic errors", "classes") else "right")
    for name, sides in runs.items():
        for side, s in sides.items():
            values = (f"{s.mean:.3e}", f"{s.std:.3e}", f"{s.pearson_mean_over_classes:+.2f}")
            table.add_row(name, side, *(UNMEASURED if "nan" in value else value for value in values))
            name = ""
    note = "class-averaged squared errors of unit vectors; r: correlation of error and value within a class"
    return "\n".join([*_plain_lines(table), note])


def _plain_lines(table: "Table") -> list[str]:
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=LINE_LENGTH, color_system=None).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def results_text(rows: Sequence[Row]) -> str:
    """The results table as plain text, with a note on how to read it."""
    lines = _plain_lines(results_table(rows))
    note = "percent, class-averaged; [95 % interval over seeds and classes"
    if any(row.seeds == 1 for row in rows):
        note += "; over classes only for a single seed"
    lines.append(f"{note}]; oracle numbers (in parentheses) are upper bounds, not results")
    return "\n".join(lines)


def _cell(number: Estimate | float, oracle: bool) -> str:
    if isinstance(number, Estimate):
        text = f"{100 * number.mean:.1f}"
        if number.low is not None and number.high is not None and not oracle:
            text += f" [{100 * number.low:.1f}, {100 * number.high:.1f}]"
    else:
        text = f"{100 * number:.1f}"
    return f"({text})" if oracle else text
