"""A page of images with the classes that a head names, best first."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.files import write_text
from zslpipe.report.document import document, image_data
from zslpipe.report.markup import Child, Markup, breakable, el

SIDE = 320  # longest side of an image in pixels


class Named(NamedTuple):
    """A class, its kind ("seen", "unseen" or "new"), what is printed beside it and its share of the bar in [0, 1]."""

    name: str
    kind: str
    text: str
    share: float


class Card(NamedTuple):
    """An image, its classes and a verdict; an error takes the place of both."""

    path: Path
    classes: tuple[Named, ...]
    verdict: str = ""
    error: str = ""


def write_predictions(path: Path, title: str, lead: str, cards: Sequence[Card]) -> None:
    """Write the page atomically."""
    body = el("div", [_card(card) for card in cards], class_="cards")
    write_text(path, document(title, el("p", lead, class_="lead"), body))


def bars(classes: Sequence[Named]) -> Markup:
    """The classes as a table of bars, coloured by kind."""
    return el("table", el("tbody", [_line(one) for one in classes]), class_="bars")


def _card(card: Card) -> Markup:
    if card.error:
        return el("figure", el("figcaption", breakable(str(card.path)), el("p", card.error, class_="note")))
    try:
        data = image_data(read_image(card.path), SIDE)
        picture: Child = el("img", src=data, alt=f"{card.path.name}: {card.classes[0].name}")
    except UnreadableImage:  # gone or changed since it was named
        picture = None
    verdict = el("p", el("b", card.verdict)) if card.verdict else None
    name = "/".join(card.path.parts[-2:])  # files of different folders often have the same names
    caption = el("figcaption", el("small", breakable(name)), verdict, bars(card.classes))
    return el("figure", picture, caption)


def _line(one: Named) -> Markup:
    side = "seen" if one.kind == "seen" else "unseen"
    bar = el("span", el("b", style=f"width:{100 * one.share:.1f}%"), class_=f"track {side}")
    name = el("th", breakable(one.name), el("small", one.kind), scope="row")
    return el("tr", name, el("td", one.text, class_="figure"), el("td", bar))
