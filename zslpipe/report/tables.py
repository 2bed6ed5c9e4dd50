"""Tables: the results of all runs, and plain grids."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from zslpipe.evaluation.results_table import COLUMNS as NUMBERS
from zslpipe.evaluation.results_table import Row
from zslpipe.evaluation.statistics import Estimate
from zslpipe.report.content import RunContent
from zslpipe.report.curves import colour_of
from zslpipe.report.markup import Child, Markup, el
from zslpipe.report.terms import term

HINTS = range(320, 801, 40)  # widths in pixels of the container queries in style.css


def results_table(runs: Sequence[RunContent]) -> Markup:
    """The results of all runs; for each run the validated row first, then the oracle's, marked as such."""
    names = ("chosen by", *NUMBERS, "seeds", "δ")
    head = [el("th", "run", scope="col"), *(el("th", term(name), scope="col") for name in names)]
    bodies = [el("tbody", [_line(i, run, row) for row in run.rows]) for i, run in enumerate(runs)]
    return scroll_box(el("table", el("thead", el("tr", head)), bodies, class_="numbers"))


def kind_of(row: Row) -> str:
    """How the numbers of a row were obtained: "validated", "not calibrated", "published" or "oracle"."""
    if row.oracle or row.rule.startswith("oracle"):
        return "oracle"
    if row.seeds is None:
        return "published"
    return "validated" if row.delta else "not calibrated"


def _line(index: int, run: RunContent, row: Row) -> Markup:
    first = row is run.rows[0]
    kind = kind_of(row)
    swatch = el("i", class_=f"swatch {colour_of(index)}") if first else None
    name = el("th", swatch, run.name if first else "", scope="row")
    how = el("td", el("span", term(kind), class_=f"kind {kind}"), el("small", row.rule), class_="how")
    cells = [el("td", _value(row.numbers.get(n), kind), class_="figure", data_label=n) for n in NUMBERS]
    seeds = None if row.seeds is None else str(row.seeds)
    delta = None if row.delta is None else f"{row.delta:.4g}"
    asides = [el("td", text, class_="aside", data_label=label) for label, text in (("seeds", seeds), ("δ", delta))]
    return el("tr", name, how, cells, asides, class_=kind)


def _value(value: Estimate | float | None, kind: str) -> Child:
    """Percent, with the interval below; oracle values have none, since they are not estimates."""
    if value is None:
        return None
    if isinstance(value, float):
        return el("b", f"{100 * value:.1f}")
    interval = None
    if value.low is not None and value.high is not None and kind != "oracle":
        interval = el("small", f"{100 * value.low:.1f} to {100 * value.high:.1f}")
    return [el("b", f"{100 * value.mean:.1f}"), interval]


def grid(head: Sequence[str], rows: Sequence[Sequence[Child]], class_: str = "plain") -> Markup:
    """A table with row headers in the first column."""
    heading = el("thead", el("tr", [el("th", text, scope="col") for text in head])) if head else None
    lines = [el("tr", el("th", row[0], scope="row"), [el("td", cell) for cell in row[1:]]) for row in rows]
    return scroll_box(el("table", heading, el("tbody", lines), class_=class_))


def nested_table(value: Mapping[str, Any]) -> Markup:
    """Any JSON object as a table of dotted names and values."""
    rows: list[tuple[str, str]] = []
    _flatten(value, "", rows)
    return grid([], rows, class_="plain nested")


def _flatten(value: Any, name: str, rows: list[tuple[str, str]]) -> None:
    if isinstance(value, Mapping) and value:
        for key in value:
            _flatten(value[key], f"{name}.{key}" if name else str(key), rows)
    elif value is None:
        rows.append((name, "none"))
    elif isinstance(value, str):
        rows.append((name, value))
    else:
        rows.append((name, json.dumps(value, ensure_ascii=False, default=str)))


def scroll_box(child: Markup, width: float | None = None) -> Markup:
    """A box in which wide content scrolls, also with the keyboard.

    Args:
        child: the content.
        width: its width in pixels if it is fixed: where the box is narrower, a hint says that it scrolls.
    """
    box = el("div", child, class_="scroll", tabindex="0")
    step = max((w for w in HINTS if width is not None and w <= width), default=None)
    if step is None:
        return box
    return el("div", el("p", "scroll sideways to see all of it →", class_=f"hint below-{step}"), box, class_="hinted")
