"""Decoding ahead of the forward pass: worker threads fill a ring of batch buffers, in order."""

import os
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from zslpipe.backbones.transform import Transform
from zslpipe.extract.decode import UnreadableImage, read_failure, read_image
from zslpipe.store.failure import Failure

AHEAD = 2  # batches that are decoded while one is in use
CHUNK = 4  # images per task: few, so that all workers share a batch; more than one, to use the queue less


class Images(Protocol):
    """The images of a dataset by row."""

    def pixels(self, row: int) -> np.ndarray:
        """(H, W, 3) uint8, decoded, resized and cropped; called from several threads.

        Raises:
            UnreadableImage: if the image cannot be decoded.
        """
        ...

    def path(self, row: int) -> Path:
        """What messages call the image."""
        ...


@dataclass(frozen=True)
class ImageFiles:
    """Images that are files below a folder."""

    root: Path
    image_ids: Sequence[str]
    transform: Transform

    def pixels(self, row: int) -> np.ndarray:
        return self.transform(read_image(self.path(row)))

    def path(self, row: int) -> Path:
        return self.root / self.image_ids[row]


@dataclass
class Batch:
    """The images of some `rows` of a piece, `of` all of its rows; those that failed are black.

    `images` is overwritten once the second batch after this one has been requested.
    """

    piece: int
    of: range
    rows: range
    images: Tensor  # (rows, H, W, 3) uint8
    failures: dict[int, Failure]


def default_workers() -> int:
    """One per available core: Pillow releases the GIL while it decodes and resizes."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_rows(rows: range, batch_size: int) -> list[range]:
    """`rows` in as few batches of at most `batch_size` as possible, of nearly equal size.

    With a batch size of 32, 40 rows become two batches of 20, not one of 32 and one of 8.
    """
    count = -(-len(rows) // batch_size)
    each = -(-len(rows) // count)
    return [rows[i : i + each] for i in range(0, len(rows), each)]


def decode_batches(
    images: Images,
    size: tuple[int, int],
    pieces: Iterable[tuple[int, range]],
    batch_size: int,
    workers: int,
    *,
    pinned: bool = False,
) -> Generator[Batch, None, None]:
    """Batches of `images` of `size` (H, W) in the order of `pieces`.

    No batch spans two pieces, so that a resumed run has the same batches.
    """
    shape = (batch_size, *size, 3)
    ring = [torch.empty(shape, dtype=torch.uint8, pin_memory=pinned) for _ in range(AHEAD + 2)]
    work = ((piece, of, rows) for piece, of in pieces for rows in split_rows(of, batch_size))
    waiting: deque[tuple[int, range, range, Tensor, list[Future[dict[int, Failure]]]]] = deque()

    def decode(rows: range, out: np.ndarray) -> dict[int, Failure]:
        failures = {}
        for row, slot in zip(rows, out, strict=True):
            try:
                slot[:] = images.pixels(row)
            except UnreadableImage as error:
                slot[:] = 0
                failures[row] = read_failure(images.path(row), error)
        return failures

    def oldest() -> Batch:
        piece, of, rows, buffer, tasks = waiting.popleft()
        failures: dict[int, Failure] = {}
        for task in tasks:
            failures |= task.result()
        return Batch(piece, of, rows, buffer[: len(rows)], failures)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for count, (piece, of, rows) in enumerate(work):
            buffer = ring[count % len(ring)]
            slots = buffer.numpy()[: len(rows)]
            chunks = range(0, len(rows), CHUNK)
            tasks = [pool.submit(decode, rows[i : i + CHUNK], slots[i : i + CHUNK]) for i in chunks]
            waiting.append((piece, of, rows, buffer, tasks))
            if len(waiting) > AHEAD:
                yield oldest()
        while waiting:
            yield oldest()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
