"""Draws attention maps over the image that the backbone saw, as a row of tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from zslpipe.drawing import apply_colour_map, fit_text, load_font
from zslpipe.errors import InputError

TILE, GAP, LINE = 240, 12, 19  # in pixels: side of a tile, space between tiles, height of a line of text
INK, FAINT, RIGHT, WRONG = "#1c2430", "#667080", "#11734b", "#a3341f"
# Magma (Smith & van der Walt, 2015), dark to bright, which looks the same with and without colour blindness.
STOPS = ("000004", "231151", "5f187f", "982d80", "d3436e", "f8765c", "feba80", "fcfdbf")


@dataclass(frozen=True, eq=False)
class Tile:
    """A copy of the image with a caption.

    Attributes:
        title, below: the two lines of the caption.
        attention: optional (R,) shares over the regions, drawn over the image.
        colour: colour of the title.
        grid: (rows, columns) of the regions.
    """

    title: str
    below: str
    attention: np.ndarray | None = None
    colour: str = INK
    grid: tuple[int, int] | None = None


def draw_row(picture: Image.Image, tiles: Sequence[Tile], heading: str, least: int = 0) -> Image.Image:
    """The tiles in a row under a heading, at least `least` pixels wide; each map is scaled to its own maximum.

    Raises:
        InputError: if the grid of a map is not known.
    """
    width = max(least, GAP + len(tiles) * (TILE + GAP))
    height = round(TILE * picture.height / picture.width)
    sheet = Image.new("RGB", (width, 2 * GAP + LINE + height + GAP // 2 + 3 * LINE), "white")
    pen = ImageDraw.Draw(sheet)
    font = load_font(15)
    pen.text((GAP, GAP - 2), fit_text(heading, font, width - 2 * GAP), INK, font)
    top = 2 * GAP + LINE - 4
    base = picture.convert("RGB").resize((TILE, height), Image.Resampling.BICUBIC)
    for i, tile in enumerate(tiles):
        left = GAP + i * (TILE + GAP)
        sheet.paste(base if tile.attention is None else overlay(base, tile.attention, tile.grid), (left, top))
        lines = [(tile.title, tile.colour, 15), (tile.below, FAINT, 13)]
        if tile.attention is not None:
            lines.append((f"largest share of a region {tile.attention.max():.0%}", FAINT, 13))
        for j, (text, colour, size) in enumerate(lines):
            font = load_font(size)
            pen.text((left, top + height + GAP // 2 + j * LINE), fit_text(text, font, TILE), colour, font)
    return sheet


def overlay(picture: Image.Image, attention: np.ndarray, grid: tuple[int, int] | None) -> Image.Image:
    """The picture in grey with attention (R,) in colour, scaled to its maximum.

    Args:
        picture: what the backbone saw.
        attention: (R,) shares of the regions; those before the grid (class tokens) are not drawn.
        grid: (rows, columns) of the regions.

    Raises:
        InputError: if the grid is not known.
    """
    if grid is None:
        raise InputError(f"the grid of the {len(attention)} regions is unknown: extract the features again.")
    rows, columns = grid
    shares = attention[len(attention) - rows * columns :].reshape(rows, columns).astype(np.float32)
    shares = shares / max(float(shares.max()), 1e-12)
    heat = np.asarray(Image.fromarray(shares).resize(picture.size, Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
    colour = apply_colour_map(heat[..., 0], STOPS)
    grey = np.asarray(picture.convert("L").convert("RGB"), np.float32)
    opacity = 0.25 + 0.4 * heat
    return Image.fromarray(((1 - opacity) * grey + opacity * colour).round().astype(np.uint8))
