"""The class-averaged error matrix: classes as rows (unseen first), attributes as columns, largest errors first."""

import numpy as np

from zslpipe.report.content import SemanticErrors
from zslpipe.report.markup import Attributes, Markup, el, join
from zslpipe.report.pixels import matrix_png
from zslpipe.report.svg import drawing, truncate, with_tooltip
from zslpipe.report.tables import scroll_box

WIDTH = 880.0
NARROWEST = 640  # pixels on the screen: min-width of .chart.wide in style.css
MAX_NAMES = 60  # more rows or columns than this have tooltips only
STRIP = 26.0  # height of the bars above the columns


def error_map(errors: SemanticErrors) -> Markup:
    """A heat map with a coloured band per class on the left and a bar per attribute on top; both have tooltips."""
    matrix = errors.matrix
    rows, columns = np.lexsort((-matrix.mean(1), errors.seen)), np.argsort(-matrix.mean(0), kind="stable")
    ceiling = float(np.quantile(matrix, 0.99)) or 1.0  # so that outliers do not make all other cells dark
    named = len(rows) <= MAX_NAMES, len(columns) <= MAX_NAMES
    left, top = (140.0 if named[0] else 14.0), STRIP + 4
    across, down = (WIDTH - left) / len(columns), (14.0 if named[0] else min(14.0, 520 / len(rows)))
    foot = top + down * len(rows)
    box: Attributes = {"x": left, "y": top, "width": WIDTH - left, "height": down * len(rows)}
    shades = matrix_png(matrix[np.ix_(rows, columns)] / ceiling)
    image = el("image", href=shades, preserveAspectRatio="none", class_="pixels", **box)
    classes = [_class(errors, k, left, top + down * i, down, named[0]) for i, k in enumerate(rows)]
    highest = float(matrix.mean(0).max()) or 1.0
    bars = [_attribute(errors, a, left + across * j, across, top, highest) for j, a in enumerate(columns)]
    names = [
        _column_name(errors.attributes[a], left + across * (j + 0.5), foot) for j, a in enumerate(columns) if named[1]
    ]
    height = foot + (116 if named[1] else 4)
    label = "Semantic error by class and attribute"
    drawn = drawing(WIDTH, height, image, classes, bars, names, label=label, class_="chart wide")
    return join(scroll_box(drawn, NARROWEST), _scale_bar(ceiling))


def _class(errors: SemanticErrors, k: int, left: float, y: float, height: float, named: bool) -> list[Markup]:
    side = "seen" if errors.seen[k] else "unseen"
    title = f"{errors.names[k]} ({side}): mean error {errors.matrix[k].mean():.4g}"
    band = with_tooltip("rect", title, x=left - 10, y=y, width=7, height=height, class_=f"band {side}")
    if not named:
        return [band]
    place: Attributes = {"x": left - 14, "y": y + height / 2 + 4, "text_anchor": "end", "class_": f"name {side}"}
    return [band, el("text", el("title", title), truncate(errors.names[k], 19), **place)]


def _attribute(errors: SemanticErrors, a: int, x: float, width: float, foot: float, highest: float) -> Markup:
    mean = float(errors.matrix[:, a].mean())
    height = STRIP * mean / highest
    title = f"{errors.attributes[a]}: mean error {mean:.4g}"
    return with_tooltip("rect", title, x=x, y=foot - 2 - height, width=width, height=height, class_="band attribute")


def _column_name(name: str, x: float, foot: float) -> Markup:
    """The name of an attribute, rotated, below its column."""
    turned = f"translate({x + 4:.6g} {foot + 6:.6g}) rotate(-90)"
    return el("text", el("title", name), truncate(name, 17), transform=turned, text_anchor="end", class_="name")


def _scale_bar(ceiling: float) -> Markup:
    """The legend of the colours."""
    strip = matrix_png(np.linspace(0, 1, 64)[None])
    image = el("img", src=strip, alt="dark blue to yellow", class_="pixels strip")
    return el("p", "error 0 ", image, f" {ceiling:.3g} or more; bars at the top: mean per attribute", class_="key")
