"""Per-class accuracies as a bar chart, built from an HTML table so that screen readers can read it."""

from collections.abc import Sequence

from zslpipe.report.content import ClassBar
from zslpipe.report.markup import Markup, breakable, el
from zslpipe.report.terms import term


def class_bars(classes: Sequence[ClassBar], seen: bool) -> Markup:
    """Bars of the tested seen or unseen classes, best first; a tick marks the accuracy without calibration."""
    tested = [c for c in classes if c.seen == seen and c.accuracy is not None]
    tested.sort(key=lambda c: (-(c.accuracy or 0.0), c.name))
    side = "seen" if seen else "unseen"
    caption = el("h4", f"{len(tested)} ", term(side), " classes")
    table = el("table", el("tbody", [_bar(c) for c in tested]), class_=f"bars {side}")
    return el("div", caption, el("div", table, class_="tall", tabindex="0"))


def _bar(c: ClassBar) -> Markup:
    assert c.accuracy is not None
    title = f"{c.name}: {c.accuracy:.1%} of {c.images} images"
    tick = None
    if c.uncalibrated is not None:
        title += f", {c.uncalibrated:.1%} without calibration"
        tick = el("i", style=f"left:{100 * c.uncalibrated:.1f}%")
    fill = el("b", style=f"width:{100 * c.accuracy:.1f}%")
    return el(
        "tr",
        el("th", breakable(c.name), scope="row"),
        el("td", el("span", fill, tick, class_="track"), class_="bar"),
        el("td", f"{100 * c.accuracy:.1f}", class_="figure"),
        title=title,
    )
