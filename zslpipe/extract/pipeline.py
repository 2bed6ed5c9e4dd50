"""Images to features: decode, forward and write at once, in pieces that come out the same however often it stops."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zslpipe.backbones.backbone import Backbone
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extract.batches import Batch, ImageFiles, Images, decoded, default_workers
from zslpipe.extract.transfers import Transfers
from zslpipe.extract.writer import Write, Writer
from zslpipe.progress import ticking
from zslpipe.store.failure import Failure

DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass
class ExtractionSummary:
    """What an extraction did, and which stage it waited for."""

    images: int = 0
    failed: int = 0
    pieces: int = 0
    seconds: float = 0.0
    decode_wait_s: float = 0.0  # the forward pass stood still for want of decoded images
    write_wait_s: float = 0.0  # ... because the store was not done with earlier pieces

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def limit(self) -> str:
        """The stage that set the pace: decode, forward or write."""
        waits = {"decode": self.decode_wait_s, "write": self.write_wait_s}
        slowest = max(waits, key=lambda stage: waits[stage])
        return slowest if waits[slowest] > 0.5 * self.seconds else "forward"


class _Piece:
    """The rows of one piece as they come in, and the batches of it that are under way."""

    def __init__(self, number: int, rows: range, taps: dict[str, tuple[int, ...]], dtype: torch.dtype, pinned: bool):
        self.number, self.rows, self.failures = number, rows, dict[int, Failure]()
        self.values = {
            tap: torch.empty((len(rows), *shape), dtype=dtype, pin_memory=pinned) for tap, shape in taps.items()
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """NaN in failed rows: whoever takes them for features notices."""
        for row in self.failures:
            for values in self.values.values():
                values[row - self.rows.start] = torch.nan
        return {tap: values.numpy() for tap, values in self.values.items()}


@dataclass
class _Launched:
    """A batch whose features may still be under way from the device."""

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
) -> ExtractionSummary:
    """Run `backbone` over the images of `pieces` and hand each whole piece to `write(piece, arrays, failures)`.

    `pieces` are (number, range of consecutive rows of `image_ids`), written in the order given; `arrays` holds
    {tap: (rows, ...)} of `dtype`. An image that cannot be read stops everything (`on_error="fail"`) or leaves NaN
    and a Failure by its row ("skip"). Batches never span pieces and how a piece is split depends on `batch_size`
    alone, so its bytes depend neither on `workers` nor on which pieces were asked for. Memory does not grow with
    the number of images.
    """
    if not Path(image_root).is_dir():
        raise InputError(f"there is no folder of images {image_root}.")
    images = ImageFiles(Path(image_root), image_ids, backbone.transform)
    return extract_images(
        backbone, images, pieces, write, batch_size=batch_size, workers=workers, on_error=on_error, dtype=dtype
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
) -> ExtractionSummary:
    """`extract` for images that are not files in a folder."""
    if on_error not in ("fail", "skip"):
        raise InputError(f"on-error is 'fail' or 'skip', not '{on_error}'.")
    if dtype not in DTYPES:
        raise InputError(f"features are kept as {' or '.join(DTYPES)}, not '{dtype}'.")
    if batch_size < 1 or (workers is not None and workers < 1):
        raise InputError(f"batch size and workers are at least 1, not {min(batch_size, workers or 1)}.")
    work = list(pieces)
    summary, start = ExtractionSummary(), time.perf_counter()
    cuda = backbone.device.type == "cuda"
    workers = workers or default_workers()
    batches = decoded(images, backbone.transform.size, work, batch_size, workers, pinned=cuda)
    launches = _launches(backbone, batches, dict(work), on_error, DTYPES[dtype], summary)
    total = sum(len(rows) for _, rows in work)
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
    pieces: dict[int, range],
    on_error: str,
    dtype: torch.dtype,
    summary: ExtractionSummary,
) -> Iterator[_Launched]:
    """Forward every batch; on a GPU this returns while the device computes and copies."""
    transfers = Transfers(backbone.device)
    cuda = transfers.cuda
    piece: _Piece | None = None
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        summary.decode_wait_s += time.perf_counter() - asked
        if batch is None:
            return
        if batch.failures and on_error == "fail":
            first = next(iter(batch.failures.values()))
            raise InputError(f"{first.error[:-1]}: repair it, or go on without it by --on-error skip.")
        if piece is None or piece.number != batch.piece:
            piece = _Piece(batch.piece, pieces[batch.piece], backbone.taps, dtype, pinned=cuda)
        count, at = len(batch.rows), batch.rows.start - piece.rows.start
        finite = torch.empty((len(backbone.taps), 2, count), dtype=torch.bool, pin_memory=cuda)
        copies = []
        for i, (tap, values) in enumerate(backbone(transfers.upload(batch.images)).items()):
            kept = values.to(dtype)
            checks = torch.stack([tensor.isfinite().flatten(1).all(1) for tensor in (values, kept)])
            copies += [(finite[i], checks), (piece.values[tap][at : at + count], kept)]
        yield _Launched(piece, batch, finite, transfers.download(copies))


def _lagging(items: Iterator[_Launched]) -> Iterator[_Launched]:
    """The same items, each handed on only when the next has been launched."""
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
                    f"the backbone gives features that are not finite for {images.path(row)} (tap {tap}): "
                    "check its weights, or take --precision float32."
                )
            if not stored:
                raise ZslpipeError(
                    f"features of {images.path(row)} (tap {tap}) are too large for {dtype}: give --dtype float32."
                )
