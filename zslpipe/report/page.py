"""Writes one self-contained HTML file: no scripts, no fonts, no network access."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from zslpipe.files import write_text
from zslpipe.report.content import RunContent
from zslpipe.report.curves import colour_of, legend_entry, point_legend, seen_unseen
from zslpipe.report.document import document
from zslpipe.report.headline import headline
from zslpipe.report.markup import Markup, el, join
from zslpipe.report.sections import run_section
from zslpipe.report.tables import kind_of, results_table
from zslpipe.report.terms import glossary


def write_page(path: Path, runs: Sequence[RunContent]) -> None:
    """Write the page about these runs atomically."""
    write_text(path, page(runs))


def page(runs: Sequence[RunContent]) -> Markup:
    """The page about these runs as one string."""
    title = _title(runs)
    sections = [run_section(i, run) for i, run in enumerate(runs)]
    return document(title, join(_lead(runs), _headlines(runs)), _results(runs), _curves(runs), sections)


def _title(runs: Sequence[RunContent]) -> str:
    datasets = dict.fromkeys(str(run.about["dataset"]) for run in runs)
    heads = dict.fromkeys(str(run.about["head"]) for run in runs)
    return f"{', '.join(heads)} on {', '.join(datasets)}"


def _lead(runs: Sequence[RunContent]) -> Markup:
    count = "One run" if len(runs) == 1 else f"{len(runs)} runs"
    newest = max(datetime.fromisoformat(run.about["created"]) for run in runs)
    return el("p", f"{count}, trained up to {newest.day} {newest:%B %Y, %H:%M} {newest.tzname() or ''}", class_="lead")


def _headlines(runs: Sequence[RunContent]) -> list[Markup]:
    """The result of each run in one sentence, with its name if there are several."""

    def named(i: int, run: RunContent) -> Markup | None:
        return el("small", el("i", class_=f"swatch {colour_of(i)}"), run.name) if len(runs) > 1 else None

    return [el("p", named(i, run), headline(run), class_="headline") for i, run in enumerate(runs) if run.counts]


def _results(runs: Sequence[RunContent]) -> Markup:
    intervals = dict.fromkeys(run.interval for run in runs if run.interval)
    parts = [el("h2", "Results"), results_table(runs)]
    note = "Accuracy in percent, averaged over classes, so that each class counts the same."
    parts.append(el("p", " ".join([note, *intervals]), class_="note"))
    if any(kind_of(row) == "oracle" for run in runs for row in run.rows):
        warning = "Oracle rows were tuned on the test set: they are an upper bound, not a result."
        parts.append(el("p", warning, class_="note"))
    parts.append(glossary())
    return el("section", parts)


def _curves(runs: Sequence[RunContent]) -> Markup | None:
    if not any(run.curves for run in runs):
        return None
    legend = el("ul", [legend_entry(run.name, i) for i, run in enumerate(runs)], class_="key")
    explained = (
        "Each point is one calibration δ, subtracted from the scores of seen classes: at the left end all images are "
        "predicted as seen classes, at the right end as unseen classes. Faint lines are contours of equal H."
    )
    aside = el("div", legend, point_legend(), el("p", explained, class_="note"))
    return el("section", el("h2", "Seen-unseen curve"), el("div", el("div", seen_unseen(runs)), aside, class_="beside"))
