"""The only place where image files are opened: Pillow reads many formats, some by starting other programs."""

import struct
from io import BytesIO
from pathlib import Path

from PIL import Image

from zslpipe.tar_members import read_member, split_member

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
    """`PIL.Image.open` for the formats of photos; the format is that of the content. The path may lead into a shard.

    Raises:
        PIL.UnidentifiedImageError: if it has none of them.
    """
    member = split_member(path)
    return Image.open(path if member is None else BytesIO(read_member(*member)), formats=FORMATS)
