"""One image file to RGB, the same way every time, and one sentence for each way in which it can fail."""

import struct
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError, features

from zslpipe.store.failure import Failure

WHITE = (255, 255, 255)


class UnreadableImage(Exception):
    """This image gives no pixels; the text says why, without naming the file."""


def decoder_version() -> str:
    """What decoded, in words: two builds of a JPEG library may differ in single pixels."""
    turbo = features.version("libjpeg_turbo")
    jpeg = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"pillow {PIL.__version__} {jpeg}"


def read_image(path: Path) -> Image.Image:
    """The first frame of an image file as RGB, upright; raises UnreadableImage.

    EXIF orientation is applied, transparency lies on white, 16-bit greys keep their upper 8 bits, CMYK is converted
    without colour management. What the file contains counts, not its extension.
    """
    try:
        with Image.open(path) as image:
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise UnreadableImage(f"has {image.width} x {image.height} pixels, more than the {limit} allowed")
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _rgb(image)
    except Image.DecompressionBombError:
        raise UnreadableImage(f"has far more than the {Image.MAX_IMAGE_PIXELS} pixels allowed") from None
    except FileNotFoundError:
        raise UnreadableImage("does not exist") from None
    except IsADirectoryError:
        raise UnreadableImage("is a folder") from None
    except PermissionError:
        raise UnreadableImage("may not be read") from None
    except UnidentifiedImageError:
        raise UnreadableImage("is empty" if path.stat().st_size == 0 else "is no image in a known format") from None
    except (
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
    ) as error:  # what Pillow's readers let through on hostile files
        raise UnreadableImage(f"is damaged ({' '.join(str(error).split()) or type(error).__name__})") from None


def read_failure(path: Path, error: UnreadableImage) -> Failure:
    return Failure(str(path), f"the image {path} {error}.", decoder_version())


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise UnreadableImage("holds 32-bit values, which have no agreed scale")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UnreadableImage("holds floating-point values, which have no agreed scale")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, WHITE)
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    return image.convert("RGB")
