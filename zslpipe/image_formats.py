"""The only place where image files are opened: Pillow reads many formats, some by starting other programs."""

import struct
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

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


def open_image(source: Path | BinaryIO) -> Image.Image:
    """`PIL.Image.open` of a file or a stream for the formats of photos; the format is that of the content.

    A path may lead into a shard.

    Raises:
        PIL.UnidentifiedImageError: if it has none of them.
    """
    member = split_member(source) if isinstance(source, Path) else None
    return Image.open(source if member is None else BytesIO(read_member(*member)), formats=FORMATS)
