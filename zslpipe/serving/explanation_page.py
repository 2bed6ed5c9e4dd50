"""Explanations as one self-contained HTML page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from zslpipe.report.document import document, image_data
from zslpipe.report.markup import Child, Markup, breakable, el
from zslpipe.serving.attention_maps import overlay
from zslpipe.serving.explain import Explanation
from zslpipe.serving.explanation_text import (
    ESTIMATE_TITLE,
    WHERE,
    Bar,
    candidate_bars,
    contrast_bars,
    contrast_note,
    contrast_title,
    estimate_bars,
    estimate_note,
    heading,
    map_caption,
    maps_title,
    no_contrast_note,
)

SIDE = 320  # longest side of a picture in pixels


@dataclass(frozen=True, eq=False)
class Explained:
    """An explanation with what is needed to draw it; see `explanation_picture.draw`."""

    explanation: Explanation
    picture: Image.Image
    grid: tuple[int, int] | None


def explanations_page(title: str, head: str, several: Sequence[Explained]) -> Markup:
    """The page.

    Raises:
        InputError: if the grid of a map is not known.
    """
    return document(title, None, [_section(one, head) for one in several])


def _section(shown: Explained, head: str) -> Markup:
    one = shown.explanation
    figures = [_figure(shown.picture, one.true or "class unknown", "as the backbone saw it")]
    for attention in one.maps:
        figures.append(_figure(overlay(shown.picture, attention.attention, shown.grid), *map_caption(attention)))
    parts: list[Child] = [el("h2", breakable(heading(one, head))), el("div", figures, class_="cards")]
    if one.maps:
        parts.append(el("p", el("b", maps_title(one)), f". {WHERE}", class_="note"))
    parts += [el("h3", "Most likely classes"), _bars(candidate_bars(one), two_sided=False)]
    if one.contrast is None and len(one.candidates) > 1:
        parts.append(el("p", no_contrast_note(head), class_="note"))
    if one.contrast is not None:
        parts += [el("h3", contrast_title(one.contrast)), _bars(contrast_bars(one.contrast), two_sided=True)]
        parts.append(el("p", contrast_note(one.contrast), class_="note"))
    if one.estimate is not None:
        parts += [el("h3", ESTIMATE_TITLE), _bars(estimate_bars(one.estimate), two_sided=True)]
        parts.append(el("p", estimate_note(one.estimate), class_="note"))
    return el("section", parts)


def _figure(picture: Image.Image, title: str, below: str) -> Markup:
    caption = el("figcaption", breakable(title), el("small", below))
    return el("figure", el("img", src=image_data(picture, SIDE), alt=f"{title}: {below}"), caption)


def _bars(bars: Iterable[Bar], two_sided: bool) -> Markup:
    return el("table", el("tbody", [_line(bar, two_sided) for bar in bars]), class_="bars")


def _line(bar: Bar, two_sided: bool) -> Markup:
    width = abs(bar.length) * (50 if two_sided else 100)
    left = 0 if not two_sided else 50 if bar.length >= 0 else 50 - width
    side = "seen" if bar.length >= 0 else "unseen"
    style = f"width:{width:.1f}%;margin-left:{left:.1f}%"
    track = el("span", el("b", style=style), el("i", style="left:50%") if two_sided else None, class_=f"track {side}")
    name = el("b", breakable(bar.label)) if bar.marked else breakable(bar.label)
    label = el("th", name, el("small", bar.note) if bar.note else None, scope="row")
    return el("tr", label, el("td", bar.number, class_="figure"), el("td", track))
