"""A contact sheet: pictures with the class that was predicted, and whether that was right."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

from zslpipe.errors import InputError
from zslpipe.files import atomic_write
from zslpipe.report.svg import shortened

SIDE, GAP, LINE = 144, 12, 17  # pixels of a picture, between pictures, of a line of text
PAPER, INK, SOFT = "#ffffff", "#1c1f24", "#5a6270"
RIGHT, WRONG = "#0072b2", "#c2500a"  # told apart with every kind of colour vision, and by a sign


class Picture(NamedTuple):
    """An image file, the class it shows and the class it was taken for."""

    path: Path
    truth: str
    predicted: str


def gallery(path: Path, items: Sequence[Picture], columns: int = 8) -> None:
    """Write a PNG of the pictures in rows, each framed and captioned; whole or not at all.

    Raises:
        InputError: where there is no picture, or one cannot be read.
    """
    if not items:
        raise InputError(f"there is no picture to put on {path}.")
    columns = min(columns, len(items))
    rows = -(-len(items) // columns)
    across, down = SIDE + GAP, SIDE + 2 * LINE + GAP
    sheet = Image.new("RGB", (GAP + across * columns, GAP + down * rows + LINE), PAPER)
    draw = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(13), ImageFont.load_default(12)
    for n, item in enumerate(items):
        x, y = GAP + across * (n % columns), GAP + down * (n // columns)
        right = item.truth == item.predicted
        colour = RIGHT if right else WRONG
        sheet.paste(_thumbnail(item.path), (x, y))
        draw.rectangle((x - 3, y - 3, x + SIDE + 2, y + SIDE + 2), outline=colour, width=3)
        _sign(draw, x + SIDE - 13, y + 13, right, colour)
        draw.text((x, y + SIDE + 3), fitted(item.predicted, font), fill=colour, font=font)
        if not right:
            draw.text((x, y + SIDE + 3 + LINE), fitted(f"is {item.truth}", small), fill=SOFT, font=small)
    good = sum(item.truth == item.predicted for item in items)
    draw.text((GAP, GAP + down * rows - 4), f"{good} of these {len(items)} are right", fill=INK, font=font)
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    with atomic_write(path) as file:
        file.write(stream.getvalue())


def fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text cut to the width of a picture."""
    length = len(text)
    while length > 1 and font.getlength(shortened(text, length)) > SIDE:
        length -= 1
    return shortened(text, length)


def _thumbnail(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS)
    except (OSError, ValueError, Image.DecompressionBombError) as problem:
        raise InputError(f"{path} cannot be shown ({problem}): replace the image.") from problem


def _sign(draw: ImageDraw.ImageDraw, x: int, y: int, right: bool, colour: str) -> None:
    """A tick or a cross on a disc."""
    draw.ellipse((x - 10, y - 10, x + 10, y + 10), fill=colour, outline=PAPER, width=2)
    if right:
        draw.line((x - 5, y, x - 1, y + 4, x + 5, y - 4), fill=PAPER, width=3)
    else:
        draw.line((x - 4, y - 4, x + 4, y + 4), fill=PAPER, width=3)
        draw.line((x - 4, y + 4, x + 4, y - 4), fill=PAPER, width=3)
