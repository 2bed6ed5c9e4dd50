"""Decoding one image file to RGB."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError, features

from zslpipe.image_formats import DECODER_ERRORS, FORMATS, open_image
from zslpipe.store.failure import Failure
from zslpipe.tar_members import read_member, split_member

WHITE = (255, 255, 255)


class UnreadableImage(Exception):
    """The image cannot be decoded; the message follows the words "the image PATH"."""


def decoder_version() -> str:
    """Names and versions of Pillow and its JPEG library: two builds may differ in single pixels."""
    turbo = features.version("libjpeg_turbo")
    jpeg = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"pillow {PIL.__version__} {jpeg}"


def read_image(source: Path | BinaryIO, most_pixels: int | None = None) -> Image.Image:
    """The first frame of an image file as RGB.

    EXIF orientation is applied, transparent pixels are blended with white, 16-bit grey keeps its upper 8 bits, CMYK is
    converted without colour management. The format is that of the content, whatever the file's extension.

    Args:
        source: a path, or a stream of the file's content.
        most_pixels: larger images are refused; None for Pillow's own limit.

    Raises:
        UnreadableImage: if the file is missing, damaged, too large or not an image.
    """
    try:
        with open_image(source) as image:
            limit = most_pixels or Image.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise UnreadableImage(f"has {image.width} x {image.height} pixels, more than the allowed {limit}")
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _rgb(image)
    except Image.DecompressionBombError:
        raise UnreadableImage(f"has far more than the allowed {Image.MAX_IMAGE_PIXELS} pixels") from None
    except FileNotFoundError:
        raise UnreadableImage("does not exist") from None
    except IsADirectoryError:
        raise UnreadableImage("is a folder") from None
    except PermissionError:
        raise UnreadableImage("cannot be read: permission denied") from None
    except UnidentifiedImageError:
        raise UnreadableImage(_unknown(source)) from None
    except DECODER_ERRORS as error:
        raise UnreadableImage(f"is damaged ({' '.join(str(error).split()) or type(error).__name__})") from None


def _unknown(source: Path | BinaryIO) -> str:
    if isinstance(source, Path):
        member = split_member(source)
        size = source.stat().st_size if member is None else len(read_member(*member))
    else:
        size = source.seek(0, io.SEEK_END)
    if size == 0:
        return "is empty"
    return f"is not an image of a known format ({', '.join(FORMATS)})"


def read_failure(path: Path, error: UnreadableImage) -> Failure:
    return Failure(str(path), f"the image {path} {error}.", decoder_version())


def to_rgb(image: Image.Image) -> Image.Image:
    """A copy of an opened image as RGB, in the way of `read_image`."""
    return _rgb(ImageOps.exif_transpose(image))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise UnreadableImage("has 32-bit values, which have no standard range")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UnreadableImage("has floating-point values, which have no standard range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, WHITE)
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    return image.convert("RGB")
