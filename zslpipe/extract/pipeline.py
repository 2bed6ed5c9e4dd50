"""Images to features: decode, forward and write at the same time, in pieces that do not depend on interruptions."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zslpipe.backbones.backbone import Backbone
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extract.batches import Batch, ImageFiles, Images, decode_batches, default_workers
from zslpipe.extract.transfers import Transfers
from zslpipe.extract.writer import Write, Writer
from zslpipe.progress import ticking
from zslpipe.store.failure import Failure

DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass
class ExtractionSummary:
    """What an extraction did, and which stage was the slowest."""

    images: int = 0
    failed: int = 0
    pieces: int = 0
    seconds: float = 0.0
    decode_wait_s: float = 0.0  # the forward pass waited for decoded images
    write_wait_s: float = 0.0  # ... for earlier pieces to be written

    def __add__(self, other: "ExtractionSummary") -> "ExtractionSummary":
        """Of two extractions one after the other."""
        return ExtractionSummary(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def limit(self) -> str:
        """The slowest stage: decode, forward or write."""
        waits = {"decode": self.decode_wait_s, "write": self.write_wait_s}
        slowest = max(waits, key=lambda stage: waits[stage])
        return slowest if waits[slowest] > 0.5 * self.seconds else "forward"


class _Piece:
    """The rows of one piece, filled batch by batch."""

    def __init__(self, number: int, rows: range, taps: dict[str, tuple[int, ...]], dtype: torch.dtype, pinned: bool):
        self.number, self.rows, self.failures = number, rows, dict[int, Failure]()
        self.values = {
            tap: torch.empty((len(rows), *shape), dtype=dtype, pin_memory=pinned) for tap, shape in taps.items()
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Tap name to features; failed rows are NaN, so that they cannot pass for features."""
        for row in self.failures:
            for values in self.values.values():
                values[row - self.rows.start] = torch.nan
        return {tap: values.numpy() for tap, values in self.values.items()}


@dataclass
class _Launched:
    """A batch whose features may not have been copied from the device yet."""

    piece: _Piece
    batch: Batch
    finite: Tensor  # (taps, 2, rows): as computed, as stored
    done: "torch.cuda.Event | None"


def extract(
    backbone: Backbone,
    image_root: Path,
    image_ids: Sequence[str],
    pieces: Iterable[tuple[int, range]],
    write: Write,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    on_error: str = "fail",
    dtype: str = "float16",
    total: int | None = None,
) -> ExtractionSummary:
    """Run `backbone` over the images of `pieces` and pass each finished piece to `write(piece, arrays, failures)`.

    Batches never span pieces, and only `batch_size` determines how a piece is split, so the bytes of a piece depend
    neither on `workers` nor on the other pieces. Memory does not grow with the number of images.

    Args:
        image_root: folder of the images; `image_ids` are paths below it.
        pieces: (number, range of consecutive rows of `image_ids`), written in this order.
        write: gets arrays {tap: (rows, ...)} of `dtype`, and failures {row: Failure}.
        workers: decoding threads; one per core by default.
        on_error: "fail" stops at an image that cannot be read; "skip" fills its row with NaN and records a Failure.
        dtype: float16 or float32.
        total: number of rows, for progress, if `pieces` is an iterator, from which they are taken one by one.

    Raises:
        InputError: if the folder is missing, an image cannot be read ("fail"), or an option is not valid.
        ZslpipeError: if features are not finite, or too large for `dtype`.
    """
    if not Path(image_root).is_dir():
        raise InputError(f"the image folder {image_root} does not exist.")
    images = ImageFiles(Path(image_root), image_ids, backbone.transform)
    return extract_images(
        backbone,
        images,
        pieces,
        write,
        batch_size=batch_size,
        workers=workers,
        on_error=on_error,
        dtype=dtype,
        total=total,
    )


def extract_images(
    backbone: Backbone,
    images: Images,
    pieces: Iterable[tuple[int, range]],
    write: Write,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    on_error: str = "fail",
    dtype: str = "float16",
    total: int | None = None,
) -> ExtractionSummary:
    """`extract` for images that are not files in a folder."""
    if on_error not in ("fail", "skip"):
        raise InputError(f"on_error must be 'fail' or 'skip', not '{on_error}'.")
    if dtype not in DTYPES:
        raise InputError(f"dtype must be {' or '.join(DTYPES)}, not '{dtype}'.")
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be >= 1, not {value}.")
    if total is None:
        pieces = list(pieces)
        total = sum(len(rows) for _, rows in pieces)
    summary, start = ExtractionSummary(), time.perf_counter()
    cuda = backbone.device.type == "cuda"
    workers = workers or default_workers()
    batches = decode_batches(images, backbone.transform.size, pieces, batch_size, workers, pinned=cuda)
    launches = _launches(backbone, batches, on_error, DTYPES[dtype], summary)
    with Writer(write) as writer, closing(batches), ticking("extracting", total) as ticker:
        for launched in _lagging(launches) if cuda else launches:
            piece, batch = launched.piece, launched.batch
            if launched.done is not None:
                launched.done.synchronize()
            _check_finite(launched, list(backbone.taps), dtype, images)
            piece.failures |= batch.failures
            summary.images += len(batch.rows)
            summary.failed += len(batch.failures)
            ticker.advance(len(batch.rows))
            if batch.rows.stop == piece.rows.stop:
                writer.put(piece.number, piece.arrays(), piece.failures)
                summary.pieces += 1
    summary.write_wait_s = writer.waited_s
    summary.seconds = time.perf_counter() - start
    return summary


def _launches(
    backbone: Backbone,
    batches: Iterator[Batch],
    on_error: str,
    dtype: torch.dtype,
    summary: ExtractionSummary,
) -> Iterator[_Launched]:
    """Run the forward pass of every batch; on a GPU without waiting for the result."""
    transfers = Transfers(backbone.device)
    cuda = transfers.cuda
    piece: _Piece | None = None
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        summary.decode_wait_s += time.perf_counter() - start
        if batch is None:
            return
        if batch.failures and on_error == "fail":
            first = next(iter(batch.failures.values()))
            raise InputError(f"{first.error[:-1]}: repair the file, or use --on-error skip.")
        if piece is None or piece.number != batch.piece:
            piece = _Piece(batch.piece, batch.of, backbone.taps, dtype, pinned=cuda)
        count, at = len(batch.rows), batch.rows.start - piece.rows.start
        finite = torch.empty((len(backbone.taps), 2, count), dtype=torch.bool, pin_memory=cuda)
        copies = []
        features = backbone(transfers.upload(batch.images))
        for i, tap in enumerate(backbone.taps):
            values, stored = features[tap], features[tap].to(dtype)
            checks = torch.stack([tensor.isfinite().flatten(1).all(1) for tensor in (values, stored)])
            copies += [(finite[i], checks), (piece.values[tap][at : at + count], stored)]
        yield _Launched(piece, batch, finite, transfers.download(copies))


def _lagging(items: Iterator[_Launched]) -> Iterator[_Launched]:
    """The same items, each one after the next has been launched."""
    held = next(items, None)
    for item in items:
        assert held is not None
        yield held
        held = item
    if held is not None:
        yield held


def _check_finite(launched: _Launched, taps: list[str], dtype: str, images: Images) -> None:
    if bool(launched.finite.all()):
        return
    for slot, row in enumerate(launched.batch.rows):
        if row in launched.batch.failures:
            continue
        for tap, (computed, stored) in zip(taps, launched.finite[:, :, slot].tolist()):
            if not computed:
                raise ZslpipeError(
                    f"features of {images.path(row)} (tap {tap}) are not finite: check the weights, or use "
                    "--precision float32."
                )
            if not stored:
                raise ZslpipeError(
                    f"features of {images.path(row)} (tap {tap}) are too large for {dtype}: use --dtype float32."
                )
