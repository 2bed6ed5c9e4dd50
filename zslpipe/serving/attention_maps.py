"""Attention drawn over the picture that the backbone saw, as one row of tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zslpipe.errors import InputError

TILE, GAP, LINE = 240, 12, 19  # pixels: a tile's side, the space between two, a line of text
INK, FAINT, RIGHT, WRONG = "#1c2430", "#667080", "#11734b", "#a3341f"
# Magma (Smith & van der Walt, 2015), dark to bright, which reads alike with and without colour blindness.
STOPS = ("000004", "231151", "5f187f", "982d80", "d3436e", "f8765c", "feba80", "fcfdbf")


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture with a caption: a title, a line below, and the attention (R,) to lay over it, None for none."""

    title: str
    below: str
    attention: np.ndarray | None = None
    colour: str = INK


def draw_row(picture: Image.Image, tiles: Sequence[Tile], heading: str) -> Image.Image:
    """All tiles beside each other under a heading; every map has its own brightest spot.

    Raises:
        InputError: where regions form no grid.
    """
    width = GAP + len(tiles) * (TILE + GAP)
    height = round(TILE * picture.height / picture.width)
    sheet = Image.new("RGB", (width, 2 * GAP + LINE + height + GAP // 2 + 3 * LINE), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP - 2), fitting(heading, width - 2 * GAP, 15), INK, ImageFont.load_default(15))
    top = 2 * GAP + LINE - 4
    base = picture.convert("RGB").resize((TILE, height), Image.Resampling.BICUBIC)
    for i, tile in enumerate(tiles):
        left = GAP + i * (TILE + GAP)
        sheet.paste(base if tile.attention is None else overlaid(base, tile.attention), (left, top))
        lines = [(tile.title, tile.colour, 15), (tile.below, FAINT, 13)]
        if tile.attention is not None:
            lines.append((f"most in one region {tile.attention.max():.0%}", FAINT, 13))
        for j, (text, colour, size) in enumerate(lines):
            place = (left, top + height + GAP // 2 + j * LINE)
            pen.text(place, fitting(text, TILE, size), colour, ImageFont.load_default(size))
    return sheet


def overlaid(picture: Image.Image, attention: np.ndarray) -> Image.Image:
    """The picture in grey, lit up in colour where attention (R,) is; the brightest spot is its largest share."""
    rows, columns, before = grid_of(len(attention), picture.height / picture.width)
    shares = attention[before:].reshape(rows, columns).astype(np.float32)
    shares = shares / max(float(shares.max()), 1e-12)
    heat = np.asarray(Image.fromarray(shares).resize(picture.size, Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
    stops = np.array([[int(s[i : i + 2], 16) for i in (0, 2, 4)] for s in STOPS], np.float32)
    position = heat[..., 0] * (len(stops) - 1)
    colour = np.stack([np.interp(position, np.arange(len(stops)), stops[:, c]) for c in range(3)], -1)
    grey = np.asarray(picture.convert("L").convert("RGB"), np.float32)
    opacity = 0.25 + 0.4 * heat
    return Image.fromarray(((1 - opacity) * grey + opacity * colour).round().astype(np.uint8))


def grid_of(regions: int, aspect: float = 1.0) -> tuple[int, int, int]:
    """Rows and columns of so many regions of a picture of that aspect (height / width), and tokens before the grid.

    Raises:
        InputError: where there is no such grid.
    """
    for before in (0, 1):
        count = regions - before
        for rows in range(1, count + 1):
            if count % rows == 0 and abs(rows / (count // rows) - aspect) < 0.5 / max(1, count // rows):
                return rows, count // rows, before
    raise InputError(f"{regions} regions form no grid over the picture: extract maps of features or of patches.")


def fitting(text: str, width: int, size: int) -> str:
    """The text, cut so that it is at most `width` pixels wide."""
    font = ImageFont.load_default(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
