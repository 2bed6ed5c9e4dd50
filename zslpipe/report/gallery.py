"""A contact sheet of images with their predicted classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from zslpipe.drawing import fit_text, load_font, square_thumbnail, write_png
from zslpipe.errors import InputError

SIDE, GAP, LINE = 144, 12, 17  # in pixels: side of an image, space between images, height of a line of text
PAPER, INK, SOFT = "#ffffff", "#1c1f24", "#5a6270"
RIGHT, WRONG = "#0072b2", "#c2500a"  # distinguishable with colour blindness, and by the mark


class Picture(NamedTuple):
    """An image file, its true class and its predicted class."""

    path: Path
    truth: str
    predicted: str


def gallery(path: Path, items: Sequence[Picture], columns: int = 8) -> None:
    """Write a PNG atomically that shows the images in rows with coloured frames and captions.

    Raises:
        InputError: if there are no images, or one cannot be read.
    """
    if not items:
        raise InputError(f"there are no images to draw into {path}.")
    columns = min(columns, len(items))
    rows = -(-len(items) // columns)
    across, down = SIDE + GAP, SIDE + 2 * LINE + GAP
    sheet = Image.new("RGB", (GAP + across * columns, GAP + down * rows + LINE), PAPER)
    draw = ImageDraw.Draw(sheet)
    font, small = load_font(13), load_font(12)
    for n, item in enumerate(items):
        x, y = GAP + across * (n % columns), GAP + down * (n // columns)
        right = item.truth == item.predicted
        colour = RIGHT if right else WRONG
        sheet.paste(square_thumbnail(item.path, SIDE), (x, y))
        draw.rectangle((x - 3, y - 3, x + SIDE + 2, y + SIDE + 2), outline=colour, width=3)
        _draw_mark(draw, x + SIDE - 13, y + 13, right, colour)
        draw.text((x, y + SIDE + 3), fit_text(item.predicted, font, SIDE), fill=colour, font=font)
        if not right:
            draw.text((x, y + SIDE + 3 + LINE), fit_text(f"is {item.truth}", small, SIDE), fill=SOFT, font=small)
    correct = sum(item.truth == item.predicted for item in items)
    draw.text((GAP, GAP + down * rows - 4), f"{correct} of {len(items)} correct", fill=INK, font=font)
    write_png(sheet, path)


def _draw_mark(draw: ImageDraw.ImageDraw, x: int, y: int, right: bool, colour: str) -> None:
    """Draw a tick or a cross on a disc."""
    draw.ellipse((x - 10, y - 10, x + 10, y + 10), fill=colour, outline=PAPER, width=2)
    if right:
        draw.line((x - 5, y, x - 1, y + 4, x + 5, y - 4), fill=PAPER, width=3)
    else:
        draw.line((x - 4, y - 4, x + 4, y + 4), fill=PAPER, width=3)
        draw.line((x - 4, y + 4, x + 4, y - 4), fill=PAPER, width=3)
