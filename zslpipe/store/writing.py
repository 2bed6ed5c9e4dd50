"""Pieces on the disk: commit, withdraw, and the mark of a complete store.

At every moment a record exists only beside the chunk files that it describes: chunks are on the disk before their
record is written, and a record is removed from the disk before its chunks change.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from zslpipe.store.failure import Failure
from zslpipe.store.layout import COMPLETE, PIECES, Layout
from zslpipe.store.records import Record
from zslpipe.store.sealed import sealed_bytes, sync_folders, write_durable


def commit(
    root: Path, layout: Layout, piece: int, values: Mapping[str, np.ndarray], failures: Mapping[int, Failure]
) -> Record:
    """Write a piece: chunk files, then its record, each synced to the disk before the next."""
    withdraw(root, layout, [piece])
    sums = {}
    for tap, rows in values.items():
        name = layout.chunk_name(tap, piece)
        sums[name] = write_durable(root / name, *layout.encode(tap, rows))
    sync_folders({(root / name).parent for name in sums})
    record = Record(piece, sums, dict(failures))
    write_durable(root / layout.record_name(piece), record.to_bytes(layout))
    sync_folders([root / PIECES])
    return record


def withdraw(root: Path, layout: Layout, pieces: Iterable[int]) -> None:
    """Remove the records of pieces, after the completion mark."""
    _remove([root / COMPLETE])
    _remove([root / layout.record_name(piece) for piece in pieces])


def mark_complete(root: Path, layout: Layout) -> None:
    """Write the completion mark, which distinguishes lost pieces from pieces that were never written."""
    write_durable(root / COMPLETE, complete_mark(layout))
    sync_folders([root])


def complete_mark(layout: Layout) -> bytes:
    return sealed_bytes({"fingerprint": layout.fingerprint, "pieces": layout.pieces})


def _remove(files: list[Path]) -> None:
    there = [file for file in files if file.exists()]
    for file in there:
        file.unlink()
    sync_folders({file.parent for file in there})
