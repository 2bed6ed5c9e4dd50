"""Tables for papers and spreadsheets: Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Callable, Sequence

from zslpipe.evaluation.results_table import COLUMNS, Row, results_cells, results_note
from zslpipe.evaluation.statistics import Estimate

LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: rf"\{c}" for c in "&%$#_"},
    "δ": r"$\delta$",
}


def results_markdown(rows: Sequence[Row]) -> str:
    """A table as GitHub and Pandoc read it, with a note below."""
    head, *lines = [[cell.replace("|", r"\|") for cell in line] for line in results_cells(rows)]
    align = ["---", *["---:"] * (len(head) - 2), "---"]
    table = [f"| {' | '.join(line)} |" for line in (head, align, *lines)]
    return "\n".join([*table, "", results_note(rows)])


def results_latex(rows: Sequence[Row]) -> str:
    """A tabular with the rules of the package booktabs, and a note as a comment above."""
    head, *lines = [" & ".join(map(_latex, line)) + r" \\" for line in results_cells(rows)]
    columns = "l" + "r" * (len(results_cells(rows)[0]) - 2) + "l"
    return "\n".join(
        [
            f"% {results_note(rows)}",
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _latex(text: str) -> str:
    return "".join(LATEX.get(c, c) for c in text)


def results_csv(rows: Sequence[Row]) -> str:
    """One line per row: numbers in percent with two decimals, each with its standard deviation over seeds and the ends
    of its interval. The column `oracle` marks numbers chosen on test images, which have no interval.
    """
    metrics = [c for c in COLUMNS if any(c in row.numbers for row in rows)]
    out, name = io.StringIO(), ""
    writer = csv.writer(out, lineterminator="\n")
    ends = [f"{metric}{end}" for metric in metrics for end in ("", "_std", "_low", "_high")]
    writer.writerow(["run", "chosen_by", "oracle", "seeds", "delta", *ends])
    for row in rows:
        name = row.name or name  # it is not repeated in a printed table
        oracle = row.oracle or row.rule.startswith("oracle")
        numbers = [value for metric in metrics for value in _numbers(row.numbers.get(metric), oracle)]
        delta = "" if row.delta is None else f"{row.delta:.6g}"
        writer.writerow([name, row.rule, str(oracle).lower(), row.seeds or "", delta, *numbers])
    return out.getvalue().rstrip("\n")


def _numbers(number: Estimate | float | None, oracle: bool) -> list[str]:
    if isinstance(number, Estimate):
        values = [number.mean, number.std, *((None, None) if oracle else (number.low, number.high))]
    else:
        values = [number, None, None, None]
    return ["" if v is None else f"{100 * v:.2f}" for v in values]


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {
    "csv": results_csv,
    "latex": results_latex,
    "markdown": results_markdown,
}
