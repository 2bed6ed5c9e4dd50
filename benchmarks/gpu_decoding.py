"""JPEG files per second: Pillow as `extract` uses it, torchvision's decoder, and nvJPEG on the device."""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from extraction import photos
from gpu_timing import wait
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2.functional import center_crop, resize

from zslpipe.backbones import Transform
from zslpipe.extract.batches import ImageFiles, default_workers

Row = dict[str, Any]
SIZE, BATCH = 224, 64


def rows(device: str, quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="zslpipe-gpu-") as scratch:
        folder, ids = photos(None, 16 if quick else 1024, Path(scratch))
        transform = Transform((SIZE, SIZE), 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
        files = ImageFiles(Path(folder), ids, transform)
        contents = [torch.frombuffer(bytearray((Path(folder) / i).read_bytes()), dtype=torch.uint8) for i in ids]
        ways: dict[str, Callable[[], None]] = {
            "Pillow, decode and resize": lambda: in_threads(files.pixels, range(len(ids))),
            "torchvision on the CPU, decode": lambda: in_threads(decoded, contents),
            f"torchvision on {device}, decode": lambda: on_device(contents, device, resized=False),
            f"torchvision on {device}, decode and resize": lambda: on_device(contents, device, resized=True),
        }
        for name, work in ways.items():
            try:
                work()
                started = time.perf_counter()
                work()
                wait(device)
                rate = len(ids) / (time.perf_counter() - started)
            except RuntimeError as problem:
                yield {"way": name, "failed": str(problem).splitlines()[0][:200]}
                continue
            yield {"way": name, "workers": default_workers(), "images_per_second": round(rate, 1)}


def in_threads(work: Callable[[Any], Any], items: Any) -> None:
    with ThreadPoolExecutor(default_workers()) as pool:
        for _ in pool.map(work, items):
            pass


def decoded(content: Tensor) -> Tensor:
    return decode_jpeg(content, mode=ImageReadMode.RGB)


def on_device(contents: list[Tensor], device: str, resized: bool) -> None:
    for start in range(0, len(contents), BATCH):
        part = contents[start : start + BATCH]
        images = [decoded(c) for c in part] if device == "cpu" else decode_jpeg(part, ImageReadMode.RGB, device=device)
        if resized:
            for image in images:
                center_crop(resize(image, [round(SIZE / 0.875)], antialias=True), [SIZE, SIZE])
