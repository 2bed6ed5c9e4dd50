"""How far the probabilities of a run can be trusted: a reliability diagram, and "none of these" in words."""

from zslpipe.evaluation.confidence import ReliabilityBins
from zslpipe.report.content import Trust
from zslpipe.report.markup import Markup, el, join
from zslpipe.report.svg import Frame, path, with_tooltip


def reliability(trust: Trust) -> Markup:
    """The diagram, and what the numbers say."""
    r = trust.reliability
    text = (
        f"A probability is the softmax of the calibrated scores divided by a temperature ({r.temperature:.3g}), which "
        "was fitted on validation classes. On the test images the expected calibration error (ECE), the mean gap "
        f"between probability and accuracy, is {percent(r.ece_uncalibrated)} without it and {percent(r.ece)} with it."
    )
    parts = [el("p", text, class_="note")]
    if r.auroc is not None and r.rejected is not None:
        words = (
            f"“None of these”: images of unseen classes whose class is hidden are told from all with an AUROC of "
            f"{percent(r.auroc)} (50 is chance). The validated threshold accepts {percent(r.accepted)} of all images "
            f"and rejects {percent(r.rejected)} of those with a hidden class."
        )
        parts.append(el("p", words, class_="note"))
    return join(el("h3", "Confidence"), el("div", diagram(trust), el("div", parts), class_="beside"))


def diagram(trust: Trust) -> Markup:
    """Accuracy by probability, with and without the temperature; perfect probabilities lie on the diagonal."""
    frame = Frame(x=(0, 1), y=(0, 1))
    diagonal = path([(frame.to_x(v), frame.to_y(v)) for v in (0, 1)])
    drawn = [frame.axes("probability (%)", "accuracy (%)", percent="xy"), el("path", d=diagonal, class_="level")]
    for bins, class_, name in ((trust.before, "other", "temperature 1"), (trust.after, "mine", "fitted temperature")):
        drawn.append(_line(frame, bins, class_, name))
    return el("div", frame.drawing(*drawn, label="Accuracy by probability"), _legend())


def _line(frame: Frame, bins: ReliabilityBins, class_: str, name: str) -> Markup:
    points = [(frame.to_x(p), frame.to_y(a)) for p, a in zip(bins.probability.tolist(), bins.accuracy.tolist())]
    line = el("path", d=path(points), class_=f"curve {class_}")
    marks = [
        with_tooltip("circle", f"{name}: {100 * share:.0f} % of the images", cx=x, cy=y, r=4, class_=f"mark {class_}")
        for (x, y), share in zip(points, bins.share.tolist())
    ]
    return el("g", line, marks)


def _legend() -> Markup:
    kinds = {"mine": "with the fitted temperature", "other": "with temperature 1"}
    items = []
    for class_, text in kinds.items():
        sample = el("circle", cx=8, cy=8, r=5, class_=f"mark {class_}")
        items.append(el("li", el("svg", sample, width=16, height=16, aria_hidden="true"), el("span", text)))
    return el("ul", items, class_="key row")


def percent(value: float) -> str:
    return f"{100 * value:.1f}\u00a0%"
