"""Heat maps: cells that can be read for a few classes, a picture for a matrix of thousands of cells."""

import base64
import io

import numpy as np
from PIL import Image

from zslpipe.report.content import Confusion, SemanticErrors
from zslpipe.report.markup import Attributes, Markup, el, together
from zslpipe.report.svg import drawing, titled

CELL = 30  # units a cell of a confusion matrix is wide and high
# Cividis (Nunez, Anderton & Renslow, 2018), which reads alike with and without colour blindness.
STOPS = ("00224e", "1a386f", "434e6c", "61656f", "7d7c78", "9b9476", "bcae6c", "dfcb5b", "fee838")


def confusion_map(confusion: Confusion) -> Markup:
    """True classes down, predicted classes across, shares of the row's images in percent."""
    count = len(confusion.names)
    left, top = 160, 116
    parts = []
    for i, (name, seen) in enumerate(zip(confusion.names, confusion.seen)):
        side = "seen" if seen else "unseen"
        middle = CELL * i + CELL / 2
        down: Attributes = {"x": left - 8, "y": top + middle + 4, "text_anchor": "end"}
        parts.append(el("text", el("title", f"{name} ({side})"), shortened(name, 21), class_=f"name {side}", **down))
        turned = f"translate({left + middle + 4} {top - 8}) rotate(-55)"
        parts.append(
            el("text", el("title", f"{name} ({side})"), shortened(name, 16), class_=f"name {side}", transform=turned)
        )
    turned = f"translate({left + CELL * count + CELL / 2 + 10} {top - 8}) rotate(-55)"
    parts.append(el("text", "others", class_="name", transform=turned))
    for i, row in enumerate(confusion.shares.tolist()):
        cells = [(CELL * j, share, confusion.names[j]) for j, share in enumerate(row)]
        cells.append((CELL * count + 6, float(confusion.elsewhere[i]), "a class not shown"))
        for j, (x, share, name) in enumerate(cells):
            parts.append(_cell(left + x, top + CELL * i, share, i == j, f"{confusion.names[i]} taken for {name}"))
    width, height = left + CELL * (count + 1) + 70, top + CELL * count + 6
    return drawing(width, height, parts, label="Predicted class by true class", class_="cells", fixed=True)


def _cell(x: float, y: float, share: float, right: bool, title: str) -> Markup:
    told = f"{title}: {share:.1%}"
    box = titled(
        "rect",
        told,
        x=x + 1,
        y=y + 1,
        width=CELL - 2,
        height=CELL - 2,
        class_="cell right" if right else "cell wrong",
        fill_opacity=round(0.06 + 0.94 * share, 3),
    )
    if share < 0.005:
        return box
    text = el(
        "text",
        f"{100 * share:.0f}",
        x=x + CELL / 2,
        y=y + CELL / 2 + 4,
        text_anchor="middle",
        class_="in-cell strong" if share > 0.5 else "in-cell",
    )
    return el("g", box, text)


def error_map(errors: SemanticErrors, width: float = 880) -> Markup:
    """Classes down (unseen first), attributes across, both ordered by their mean error; one picture, not cells.

    Bands along the left and the top say which class or attribute the pointer is on.
    """
    matrix = errors.matrix
    rows = np.lexsort((-matrix.mean(1), errors.seen))
    columns = np.argsort(-matrix.mean(0), kind="stable")
    ceiling = float(np.quantile(matrix, 0.99)) or 1.0  # so that single cells do not leave all others dark
    named = len(rows) <= 60
    left, top, tall = (130.0 if named else 14.0), 30.0, (14.0 if named else min(14.0, 520.0 / len(rows)))
    box = {"x": left, "y": top, "width": width - left, "height": tall * len(rows)}
    shades = picture(matrix[np.ix_(rows, columns)] / ceiling)
    parts = [el("image", href=shades, preserveAspectRatio="none", class_="pixels", **box)]
    for i, row in enumerate(rows):
        side = "seen" if errors.seen[row] else "unseen"
        title = f"{errors.names[row]} ({side}): mean error {matrix[row].mean():.4g}"
        band = {"x": left - 10, "y": top + tall * i, "width": 7, "height": tall}
        parts.append(titled("rect", title, class_=f"band {side}", **band))
        if named:
            text: Attributes = {"x": left - 14, "y": top + tall * i + tall / 2 + 4, "text_anchor": "end"}
            parts.append(el("text", shortened(errors.names[row], 18), class_=f"name {side}", **text))
    across, highest = (width - left) / len(columns), float(matrix.mean(0).max()) or 1.0
    for j, column in enumerate(columns):
        mean = float(matrix[:, column].mean())
        high = 26 * mean / highest
        band = {"x": left + across * j, "y": top - 2 - high, "width": across, "height": high}
        parts.append(
            titled("rect", f"{errors.attributes[column]}: mean error {mean:.4g}", class_="band attribute", **band)
        )
    map_ = drawing(
        width, top + tall * len(rows) + 4, parts, label="Semantic error by class and attribute", class_="chart wide"
    )
    return together(el("div", map_, class_="scroll", tabindex="0"), _scale_bar(ceiling))


def _scale_bar(ceiling: float) -> Markup:
    """What the colours of `error_map` mean."""
    strip = picture(np.linspace(0, 1, 64)[None])
    image = el("img", src=strip, alt="dark blue to yellow", class_="pixels strip")
    return el("p", "error 0 ", image, f" {ceiling:.3g} and more; bars on top: mean of an attribute", class_="key")


def picture(shares: np.ndarray) -> str:
    """A PNG, as a data URI, with a pixel for each number of (rows, columns) between 0 and 1."""
    stops = np.array([[int(s[i : i + 2], 16) for i in (0, 2, 4)] for s in STOPS], np.float64)
    position = np.clip(shares, 0, 1) * (len(stops) - 1)
    colours = np.stack([np.interp(position, np.arange(len(stops)), stops[:, c]) for c in range(3)], -1)
    stream = io.BytesIO()
    Image.fromarray(colours.round().astype(np.uint8)).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
