"""The seen-unseen curve: unseen accuracy on the x axis, seen accuracy on the y axis, one point per calibration."""

from collections.abc import Sequence

from zslpipe.evaluation.curve import Point
from zslpipe.report.content import RunContent, SeedCurve
from zslpipe.report.markup import Markup, el
from zslpipe.report.svg import Frame, path, ticks, with_tooltip

LEVELS = (0.2, 0.4, 0.6, 0.8)  # contour lines of H
COLOURS = 6  # number of run colours in style.css; further runs are dashed


def seen_unseen(runs: Sequence[RunContent]) -> Markup:
    """One curve per run and seed with its operating points; the seeds of a run share a colour."""
    curves = [c for run in runs for c in run.curves]
    frame = Frame(x=(0, _ceiling([c.unseen.max() for c in curves])), y=(0, _ceiling([c.seen.max() for c in curves])))
    drawn = [frame.axes("unseen accuracy U (%)", "seen accuracy S (%)", percent="xy")]
    drawn += [_level(frame, h) for h in LEVELS if h < min(frame.x[1], frame.y[1])]
    drawn += [_line(frame, i, run.name, c) for i, run in enumerate(runs) for c in run.curves]
    drawn += [_points(frame, i, run.name, c) for i, run in enumerate(runs) for c in run.curves]
    return frame.drawing(*drawn, label="Seen accuracy over unseen accuracy for every calibration")


def colour_of(index: int) -> str:
    """CSS classes for the colour of run `index`, dashed when the colours repeat."""
    dashes = index // COLOURS
    return f"run-{index % COLOURS}" + (f" dashed-{min(dashes, 2)}" if dashes else "")


def legend_entry(name: str, index: int) -> Markup:
    """One entry of the legend."""
    sample = el("line", x1=1, x2=27, y1=7, y2=7, class_=f"curve {colour_of(index)}")
    return el("li", el("svg", sample, width=28, height=14, aria_hidden="true"), el("span", name))


def point_legend() -> Markup:
    """The legend of the three kinds of operating points."""
    kinds = {
        "chosen": "chosen by validation",
        "oracle": "oracle: best H on the test set",
        "uncalibrated": "no calibration (δ = 0)",
    }
    items = [
        el("li", el("svg", _mark(kind, 8, 8, ""), width=16, height=16, aria_hidden="true"), el("span", text))
        for kind, text in kinds.items()
    ]
    return el("ul", items, class_="key")


def _line(frame: Frame, index: int, name: str, curve: SeedCurve) -> Markup:
    points = [(frame.to_x(u), frame.to_y(s)) for u, s in zip(curve.unseen.tolist(), curve.seen.tolist())]
    return with_tooltip("path", f"{name}, seed {curve.seed}", d=path(points), class_=f"curve {colour_of(index)}")


def _points(frame: Frame, index: int, name: str, curve: SeedCurve) -> Markup:
    kinds = {"uncalibrated": curve.uncalibrated, "oracle": curve.oracle, "chosen": curve.chosen}
    marks = [
        _mark(kind, frame.to_x(p.U), frame.to_y(p.S), f"{name}, seed {curve.seed}, {kind}: {_describe(p)}")
        for kind, p in kinds.items()
        if p is not None and p.U is not None and p.S is not None
    ]
    return el("g", marks, class_=colour_of(index))


def _mark(kind: str, x: float, y: float, title: str) -> Markup:
    """A disc for the chosen point, a hollow diamond for the oracle, a cross for no calibration."""
    if kind == "chosen":
        return with_tooltip("circle", title, cx=x, cy=y, r=5, class_="mark chosen")
    shape = f"M{x} {y - 6}l6 6l-6 6l-6 -6z" if kind == "oracle" else f"M{x - 4} {y - 4}l8 8m0 -8l-8 8"
    return with_tooltip("path", title, d=shape, class_=f"mark {kind}")


def _describe(p: Point) -> str:
    return f"U {p.U:.1%}, S {p.S:.1%}, H {p.H:.1%} at δ = {p.delta:.4g}"


def _level(frame: Frame, h: float) -> Markup:
    """The contour line of harmonic mean `h`: S = h U / (2 U - h)."""
    edge, top = frame.x[1], frame.y[1]
    first = h * top / (2 * top - h)  # where it crosses the top of the chart
    near, far = first - h / 2, edge - h / 2  # spacing grows with the distance from U = h / 2, where S is infinite
    us = [h / 2 + near * (far / near) ** (i / 40) for i in range(41)]
    points = [(frame.to_x(u), frame.to_y(h * u / (2 * u - h))) for u in us]
    x, y = points[-1]
    name = el("text", f"H {h:.0%}", x=x - 3, y=y - 4, class_="tick halo", text_anchor="end")
    return el("g", el("path", d=path(points), class_="level"), name)


def _ceiling(values: Sequence[float]) -> float:
    """Upper end of an axis of shares: the next tick above the largest value."""
    largest = max(float(v) for v in values)
    step = ticks(0, max(largest, 0.05))[1]
    return min(1.0, step * -(-largest // step)) if largest else 0.1
