"""The confusion matrix of a few classes, with the share written into each cell."""

from zslpipe.report.content import Confusion
from zslpipe.report.markup import Attributes, Markup, el
from zslpipe.report.svg import drawing, truncate, with_tooltip
from zslpipe.report.tables import scroll_box

CELL = 28  # width and height of a cell


def confusion_map(confusion: Confusion) -> Markup:
    """True classes as rows, predicted classes as columns, shares of each row in percent."""
    count = len(confusion.names)
    left, top = 150, 130
    parts = []
    for i, (name, seen) in enumerate(zip(confusion.names, confusion.seen)):
        side = "seen" if seen else "unseen"
        middle = CELL * i + CELL / 2
        down: Attributes = {"x": left - 8, "y": top + middle + 4, "text_anchor": "end"}
        parts.append(el("text", el("title", f"{name} ({side})"), truncate(name, 21), class_=f"name {side}", **down))
        turned = f"translate({left + middle + 4} {top - 8}) rotate(-55)"
        parts.append(
            el("text", el("title", f"{name} ({side})"), truncate(name, 16), class_=f"name {side}", transform=turned)
        )
    turned = f"translate({left + CELL * count + CELL / 2 + 10} {top - 8}) rotate(-55)"
    parts.append(el("text", "others", class_="name", transform=turned))
    for i, row in enumerate(confusion.shares.tolist()):
        cells = [(CELL * j, share, confusion.names[j]) for j, share in enumerate(row)]
        cells.append((CELL * count + 6, float(confusion.elsewhere[i]), "another class"))
        for j, (x, share, name) in enumerate(cells):
            parts.append(_cell(left + x, top + CELL * i, share, i == j, f"{confusion.names[i]} predicted as {name}"))
    width, height = left + CELL * (count + 1) + 40, top + CELL * count + 6
    drawn = drawing(width, height, parts, label="Predicted class by true class", class_="cells", fixed=True)
    return scroll_box(drawn, width)


def _cell(x: float, y: float, share: float, right: bool, title: str) -> Markup:

    box = with_tooltip(
        "rect",
        f"{title}: {share:.1%}",
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
