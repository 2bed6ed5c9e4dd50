"""Images of every awkward kind, and a fast backbone."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.backbones import Backbone, load_backbone

SIDE = 64


def make_picture(seed: int, size: tuple[int, int] = (90, 70), mode: str = "RGB") -> Image.Image:
    """A smooth picture, a different one for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


def make_png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header states more pixels than the file contains."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    return make_picture


@pytest.fixture(scope="session")
def png_claiming() -> Callable[[int, int], bytes]:
    return make_png_claiming


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    return encode


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    return load_backbone("resnet18", "random", SIDE)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[int], list[str]]:
    """Writes that many JPEGs to tmp_path / "images" and returns their ids."""

    def make(count: int) -> list[str]:
        (tmp_path / "images").mkdir(exist_ok=True)
        ids = [f"{i:03d}.jpg" for i in range(count)]
        for i, name in enumerate(ids):
            make_picture(i).save(tmp_path / "images" / name, quality=90)
        return ids

    return make
