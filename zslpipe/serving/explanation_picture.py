"""An explanation as one picture: the image with its attention maps, its best classes, and what spoke for them."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from zslpipe.drawing import Font, drawable, fit_text, load_font
from zslpipe.serving.attention_maps import FAINT, GAP, INK, LINE, RIGHT, TILE, WRONG, Tile, draw_row
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

WIDTH = GAP + 4 * (TILE + GAP)  # of the charts, and the least of the whole
LABEL, BAR, STEP = 300, 160, 22  # width of a label and of a bar on either side of zero, height of a line


def draw(one: Explanation, picture: Image.Image, head: str, grid: tuple[int, int] | None) -> Image.Image:
    """The picture.

    Args:
        one: what to show.
        picture: the part of the image that the backbone saw.
        head: its name.
        grid: (rows, columns) of the regions; None if they are not known, which is enough without maps.

    Raises:
        InputError: if the grid of a map is not known.
    """
    tiles = [Tile(one.true or "class unknown", "as the backbone saw it")]
    for attention in one.maps:
        title, below = map_caption(attention)
        colour = {"true class": RIGHT, "wrong class": WRONG}.get(attention.role, INK)
        tiles.append(Tile(title, below, attention.attention, colour, grid))
    parts = [draw_row(picture, tiles, heading(one, head), WIDTH)]
    if one.maps:
        parts.append(_lines([(maps_title(one), INK), (WHERE, FAINT)]))
    parts.append(_chart("Most likely classes", list(candidate_bars(one)), two_sided=False))
    if one.contrast is None and len(one.candidates) > 1:
        parts.append(_lines([(no_contrast_note(head), FAINT)]))
    if one.contrast is not None:
        parts.append(_chart(contrast_title(one.contrast), list(contrast_bars(one.contrast)), two_sided=True))
        parts.append(_lines([(contrast_note(one.contrast), FAINT)]))
    if one.estimate is not None:
        parts.append(_chart(ESTIMATE_TITLE, list(estimate_bars(one.estimate)), two_sided=True))
        parts.append(_lines([(estimate_note(one.estimate), FAINT)]))
    return _stack(parts)


def _stack(parts: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts) + GAP), "white")
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _lines(lines: Sequence[tuple[str, str]]) -> Image.Image:
    """Lines of small text with their colours, wrapped to the width of the charts."""
    font = load_font(13)
    wrapped = [(part, colour) for text, colour in lines for part in _wrap(text, font)]
    block = Image.new("RGB", (WIDTH, len(wrapped) * LINE + GAP), "white")
    pen = ImageDraw.Draw(block)
    for i, (text, colour) in enumerate(wrapped):
        pen.text((GAP, i * LINE), text, colour, font)
    return block


def _wrap(text: str, font: Font) -> list[str]:
    lines = [""]
    for word in drawable(text, font).split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= WIDTH - 2 * GAP:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _chart(title: str, bars: Sequence[Bar], two_sided: bool) -> Image.Image:
    """A title and a line per bar: label, number, the bar and a note; bars to the left are negative."""
    block = Image.new("RGB", (WIDTH, LINE + GAP + STEP * len(bars) + GAP), "white")
    pen = ImageDraw.Draw(block)
    bold, font = load_font(15), load_font(13)
    pen.text((GAP, 0), fit_text(title, bold, WIDTH - 2 * GAP), INK, bold)
    zero = GAP + LABEL + 70 + (BAR if two_sided else 0)
    notes = zero + BAR + GAP
    for i, bar in enumerate(bars):
        top = LINE + GAP + i * STEP
        name = f"> {bar.label}" if bar.marked else bar.label
        pen.text((GAP, top), fit_text(name, font, LABEL), INK, font)
        pen.text((GAP + LABEL + 60, top), bar.number, INK, font, anchor="ra")
        end = zero + bar.length * BAR
        pen.rectangle((min(zero, end), top + 3, max(zero, end), top + 13), WRONG if bar.length < 0 else RIGHT)
        pen.text((notes, top), fit_text(bar.note, font, WIDTH - notes - GAP), FAINT, font)
    if two_sided:
        pen.line((zero, LINE + GAP - 2, zero, LINE + GAP + STEP * len(bars) - 4), FAINT)
    return block
