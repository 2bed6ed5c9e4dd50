"""Semantic errors: error by semantic value, summary statistics, and the attributes with the largest errors."""

import numpy as np

from zslpipe.evaluation.imbalance import ErrorByValue
from zslpipe.report.content import SemanticErrors
from zslpipe.report.markup import Markup, breakable, el, join
from zslpipe.report.svg import Frame, padded_range, path, with_tooltip
from zslpipe.report.tables import grid

SIDES = ("unseen", "seen")


def error_by_value(errors: SemanticErrors) -> Markup:
    """Chart of the mean error by semantic value; vertical bars span the quartiles."""
    bins = {side: errors.by_value[side] for side in SIDES if len(errors.by_value[side].value)}
    values = np.concatenate([b.value for b in bins.values()])
    highest = max(float(max(b.upper_quartile.max(), b.mean.max())) for b in bins.values())
    frame = Frame(x=padded_range(values.tolist()), y=(0.0, highest * 1.05 or 1.0), left=62)
    parts = [frame.axes("semantic value", "error")]
    parts += [_side(frame, side, b) for side, b in bins.items()]
    chart = frame.drawing(*parts, label="Semantic error by semantic value")
    return join(chart, el("ul", [_side_key(side) for side in bins], class_="key row"))


def _side_key(side: str) -> Markup:
    sample = el("svg", _dot(side, 8, 8, side), width=16, height=16, aria_hidden="true")
    return el("li", sample, el("span", f"{side} classes: mean and quartiles"), class_=side)


def _side(frame: Frame, side: str, bins: ErrorByValue) -> Markup:
    nudge = 2.0 if side == "seen" else -2.0  # so that seen and unseen bars do not overlap
    x = [frame.to_x(v) + nudge for v in bins.value.tolist()]
    y = [frame.to_y(v) for v in bins.mean.tolist()]
    low, high = ([frame.to_y(v) for v in q.tolist()] for q in (bins.lower_quartile, bins.upper_quartile))
    whiskers = [el("line", x1=x[i], x2=x[i], y1=low[i], y2=high[i], class_="whisker") for i in range(len(x))]
    line = el("path", d=path(list(zip(x, y))), class_="curve")
    dots = [
        _dot(side, x[i], y[i], f"{side}, value {bins.value[i]:.3g}: mean error {bins.mean[i]:.3g}")
        for i in range(len(x))
    ]
    return el("g", whiskers, line, dots, class_=side)


def _dot(side: str, x: float, y: float, title: str) -> Markup:
    if side == "seen":
        return with_tooltip("circle", title, cx=x, cy=y, r=3.5, class_="dot")
    return with_tooltip("rect", title, x=round(x - 3.2, 2), y=round(y - 3.2, 2), width=6.4, height=6.4, class_="dot")


def error_summary(errors: SemanticErrors) -> Markup:
    """Table of mean and standard deviation of the errors and their correlation with the values, seen and unseen."""
    rows = []
    for side in SIDES:
        s = errors.summaries[side]
        pearson = (s.pearson_mean_over_classes, s.pearson_mean_over_semantics, s.pearson_overall)
        rows.append(
            [el("span", side, class_=f"side {side}"), _short(s.mean), _short(s.std), *map(_correlation, pearson)]
        )
    head = ["classes", "mean", "std", "r within a class", "r within an attribute", "r overall"]
    return grid(head, rows)


def worst_attributes(errors: SemanticErrors, count: int = 10) -> Markup:
    """Table of the attributes with the largest mean error over all tested classes."""
    order = np.argsort(-errors.matrix.mean(0), kind="stable")[:count]
    rows = []
    for a in order:
        means = [errors.matrix[errors.seen == (side == "seen"), a] for side in SIDES]
        rows.append([breakable(errors.attributes[a]), *(_short(float(m.mean())) if m.size else "–" for m in means)])
    return grid(["attribute", "unseen", "seen"], rows)


def _short(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"


def _correlation(value: float) -> str:
    return f"{value:+.2f}" if np.isfinite(value) else "–"
