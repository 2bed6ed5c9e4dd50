"""Results as text tables: the validated row first, then the oracle's, marked as such, then published numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from zslpipe.evaluation.imbalance import ErrorSummary
from zslpipe.evaluation.protocol import Result
from zslpipe.evaluation.statistics import Estimate, Folds, estimate

COLUMNS = ("T1", "U", "S", "H", "AUSUC")
ORACLE = "oracle (chosen on the test images)"
UNMEASURED = "-"
SAMPLED = "seeds and classes"
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
    name: str,
    results: Sequence[Result],
    rule: str,
    published: Mapping[str, float] | None = None,
    without: Folds = (),
) -> list[Row]:
    """The rows of one run.

    The first row is at the calibration chosen by `rule` without test images (at δ = 0 if there is none, or if the rule
    is the oracle), the second at the best calibration on the test images, the third are the published numbers.

    Args:
        name: name of the run.
        results: one per seed.
        rule: what chose the settings and the calibration.
        published: published numbers in [0, 1] by column.
        without: what the results would be without each of the validation folds.
    """
    by_oracle = rule.startswith("oracle")
    uncalibrated = by_oracle or any(r.delta is None for r in results)
    at = "uncalibrated" if uncalibrated else "accuracy"
    shown = f"{rule}, not calibrated" if uncalibrated else rule
    delta = 0.0 if uncalibrated else _mean_delta(results)
    has_unseen = any(not c.seen for c in results[0].classes)
    numbers = estimate(results, at, without=() if uncalibrated else without)
    rows = [Row(name, shown, numbers, delta if has_unseen else None, len(results))]
    if all(r.oracle is not None for r in results):
        best = {k: v for k, v in estimate(results, "oracle").items() if k in ("U", "S", "H")}
        delta = sum(r.oracle.delta for r in results if r.oracle is not None) / len(results)
        rows.append(Row("", ORACLE, best, delta, len(results), oracle=True))
    if published:
        rows.append(Row("", "published", published))
    return rows


def _mean_delta(results: Sequence[Result]) -> float:
    return sum(r.delta or 0.0 for r in results) / len(results)


def results_cells(rows: Sequence[Row]) -> list[list[str]]:
    """The cells of the table as text, the heading first: percentages with 95 % intervals."""
    columns = COLUMNS if any(row.numbers.keys() - {"T1"} for row in rows) else ("T1",)
    cells = [["run", *columns, "δ", "seeds", "chosen by"]]
    for row in rows:
        absent = UNMEASURED if row.seeds is not None and not row.oracle else ""
        numbers = [_cell(row.numbers[c], row.oracle) if c in row.numbers else absent for c in columns]
        delta = absent if row.delta is None else f"{row.delta:.3g}"
        seeds = "" if row.seeds is None else str(row.seeds)
        cells.append([row.name, *numbers, delta, seeds, row.rule])
    return cells


def text_table(cells: Sequence[Sequence[str]], left: Collection[str] = ()) -> str:
    """Cells, the heading first, as aligned plain text; columns are right-aligned unless their heading is in `left`."""
    from io import StringIO

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    head, *lines = cells
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in head:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    for line in lines:
        table.add_row(*map(escape, line))
    out = StringIO()
    Console(file=out, width=LINE_LENGTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def errors_text(runs: Mapping[str, Mapping[str, ErrorSummary]]) -> str:
    """Text table of the semantic errors of each run, for seen and unseen classes."""
    cells = [["semantic errors", "classes", "mean", "std", "r with value"]]
    for name, sides in runs.items():
        for side, s in sides.items():
            values = (f"{s.mean:.3e}", f"{s.std:.3e}", f"{s.pearson_mean_over_classes:+.2f}")
            cells.append([name, side, *(UNMEASURED if "nan" in value else value for value in values)])
            name = ""
    note = (
        "class-averaged squared errors of unit vectors, for semantics as they are given; "
        "r: correlation of error and value within a class"
    )
    return f"{text_table(cells, left=('semantic errors', 'classes'))}\n{note}"


def results_text(rows: Sequence[Row]) -> str:
    """The results table as plain text, with a note on how to read it."""
    text = f"{text_table(results_cells(rows), left=('run', 'chosen by'))}\n{results_note(rows)}"
    return "\n".join([text, *filter(None, map(folds_text, rows))])


def results_note(rows: Sequence[Row]) -> str:
    """How to read the numbers."""
    with_folds = any(folds_text(row) for row in rows)
    note = "percent, class-averaged; [95 % interval over " + ("seeds, classes and folds" if with_folds else SAMPLED)
    if any(row.seeds == 1 for row in rows):
        note += "; without seeds for a single one" if with_folds else "; over classes only for a single seed"
    return f"{note}]; oracle numbers (in parentheses) are upper bounds, not results"


def folds_text(row: Row) -> str:
    """A sentence on how much the numbers depend on the choice of the validation folds; empty if it is unknown."""
    errors = {k: n.folds for k, n in row.numbers.items() if isinstance(n, Estimate) and n.folds is not None}
    told = ", ".join(f"{metric} ± {100 * error:.1f}" for metric, error in errors.items())
    return f"{row.name}: other validation folds would change {told} (standard error)" if told else ""


def _cell(number: Estimate | float, oracle: bool) -> str:
    if isinstance(number, Estimate):
        text = f"{100 * number.mean:.1f}"
        if number.low is not None and number.high is not None and not oracle:
            text += f" [{100 * number.low:.1f}, {100 * number.high:.1f}]"
    else:
        text = f"{100 * number:.1f}"
    return f"({text})" if oracle else text
