"""Drawing helpers that several packages share: fonts, fitted text, square thumbnails, colour maps, PNG files."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont, ImageOps

from zslpipe.errors import InputError
from zslpipe.files import atomic_write
from zslpipe.image_formats import DECODER_ERRORS, open_image

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
FONTS = ("LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf", "DejaVuSans.ttf", "NotoSans-Regular.ttf")
BUILT_IN = "Aileron"  # Pillow's own font


@cache
def load_font(size: int) -> Font:
    """A font of the system that has accents and Greek letters; Pillow's own, which has neither, if there is none."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def drawable(text: str, font: Font) -> str:
    """The text as the font can draw it: with Pillow's own, letters lose their accents and δ is written out."""
    if isinstance(font, ImageFont.FreeTypeFont) and font.getname()[0] != BUILT_IN:
        return text
    parts = unicodedata.normalize("NFKD", text.replace("δ", "delta").replace("…", "\0"))
    return "".join(c for c in parts if not unicodedata.combining(c)).replace("\0", "…")


def fit_text(text: str, font: Font, width: float) -> str:
    """The text as the font can draw it, shortened with an ellipsis to at most `width` pixels."""
    text = drawable(text, font)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text.rstrip() + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def square_thumbnail(path: Path, side: int) -> Image.Image:
    """The centre square of an image file, resized to (side, side) RGB.

    Raises:
        InputError: if the file is missing or cannot be decoded.
    """
    try:
        with open_image(path) as image:
            return ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
    except DECODER_ERRORS as problem:
        raise InputError(f"{path} is not a readable image ({problem}); replace it.") from problem


def apply_colour_map(values: np.ndarray, stops: Sequence[str]) -> np.ndarray:
    """RGB values (..., 3) in 0..255 for `values` (...) in [0, 1], interpolated between hex colours."""
    table = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in stops], np.float64)
    position = np.clip(values, 0, 1) * (len(table) - 1)
    return np.stack([np.interp(position, np.arange(len(table)), table[:, c]) for c in range(3)], -1)


def write_png(image: Image.Image, path: Path) -> None:
    """Write a PNG atomically."""
    with atomic_write(Path(path)) as stream:
        image.save(stream, "PNG", optimize=True)
