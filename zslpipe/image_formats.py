"""The only place where image files are opened: Pillow reads many formats, some by starting other programs."""

import struct
from pathlib import Path

from PIL import Image

# No others, whatever the extension: EPS would start Ghostscript, and rarely used decoders are rarely tested.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

DECODER_ERRORS = (  # raised by Pillow's readers on damaged and malicious files
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    OverflowError,
    MemoryError,
    Image.DecompressionBombError,
)


def open_image(path: Path) -> Image.Image:
    """`PIL.Image.open` for the formats of photos; the format is that of the content.

    Raises:
        PIL.UnidentifiedImageError: if it has none of them.
    """
    return Image.open(path, formats=FORMATS)
