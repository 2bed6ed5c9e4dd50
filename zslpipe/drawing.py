"""Drawing helpers that several packages share: fitted text, square thumbnails, colour maps, PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont, ImageOps

from zslpipe.errors import InputError
from zslpipe.files import atomic_write
from zslpipe.image_formats import DECODER_ERRORS, open_image

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def fit_text(text: str, font: Font, width: float) -> str:
    """The text, shortened with an ellipsis to at most `width` pixels."""
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
