"""A feature store as its readers see it: what it contains, which pieces are written, and whether they are intact."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import DamagedError, InputError
from zslpipe.store import layout as names
from zslpipe.store.derived import labels_seen
from zslpipe.store.failure import Failure
from zslpipe.store.intact import require_intact
from zslpipe.store.layout import Layout, TapSpec
from zslpipe.store.metadata import image_list_hash
from zslpipe.store.records import Record, committed_pieces, read_record
from zslpipe.store.sealed import Broken, Sum
from zslpipe.store.version import Version

MISSING, DONE, FAILED = 0, 1, 2


class StoredPieces:
    """One row per image of a benchmark, in pieces (runs of rows) that are committed one by one.

    Attributes:
        path: folder of the store.
        layout: its shapes and provenance.
        sums: checksums of its metadata files.
    """

    elsewhere = False  # whether chunk files are fetched before they are read

    def __init__(self, path: Path, layout: Layout, sums: dict[str, Sum]) -> None:
        self.path, self.layout, self.sums = path, layout, sums
        self._records: dict[int, Record] = {}
        self.refresh()

    # --- contents ---

    @property
    def location(self) -> str:
        """Where it is, for others: its absolute path, or its URL."""
        return str(self.path.absolute())

    @property
    def remedy(self) -> str:
        """What to do about damage; the end of a message."""
        return f"run zslpipe cache repair {self.path.name}"

    @cached_property
    def benchmark(self) -> Benchmark:
        """The benchmark that the store was created for, read on first use and checked against its checksum."""
        self.check_metadata(names.BENCHMARK)
        return Benchmark.load(self.path / names.BENCHMARK)

    @property
    def dataset(self) -> str:
        return self.layout.dataset

    @property
    def provenance(self) -> dict[str, Any]:
        return self.layout.provenance

    @property
    def fingerprint(self) -> str:
        return self.layout.fingerprint

    @property
    def taps(self) -> dict[str, TapSpec]:
        return self.layout.taps

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """Which labels were seen by the model that made the features, by version; empty if none."""
        return labels_seen(self.provenance, len(self))

    @property
    def piece_rows(self) -> int:
        return self.layout.piece_rows

    @property
    def pieces(self) -> int:
        """Number of pieces of the complete store."""
        return self.layout.pieces

    def __len__(self) -> int:
        return self.layout.rows

    def piece_rows_of(self, piece: int) -> range:
        return self.layout.piece_range(piece)

    def require(self, benchmark: Benchmark) -> None:
        """Raise `InputError` unless the store contains this benchmark's images in the same order."""
        if benchmark.name != self.dataset or image_list_hash(benchmark) != self.layout.images:
            raise InputError(
                f"{self.path} holds {len(self)} images of {self.dataset}, not the {len(benchmark.labels)} of "
                f"{benchmark.name} in their order: extract {benchmark.name} first."
            )

    # --- progress ---

    def refresh(self) -> None:
        """Look for pieces that other processes have committed or withdrawn."""
        records = {}
        for piece in committed_pieces(self.path):
            record = self._records.get(piece) or self._read(piece)
            if record is not None:
                records[piece] = record
        self._records = records

    def _read(self, piece: int) -> Record | None:
        """The record of a piece; None if it is missing, or damaged, which counts as missing (`verify` says why)."""
        try:
            return read_record(self.path, self.layout, piece) if piece < self.pieces else None
        except (FileNotFoundError, Broken):
            return None

    @property
    def status(self) -> np.ndarray:
        """(N,) uint8: MISSING, DONE or FAILED."""
        status = np.zeros(len(self), np.uint8)
        for piece, record in self._records.items():
            rows = self.piece_rows_of(piece)
            status[rows.start : rows.stop] = DONE
            status[list(record.failures)] = FAILED
        return status

    @property
    def failures(self) -> dict[int, Failure]:
        """The errors of failed images, by row."""
        return {row: failure for _, r in sorted(self._records.items()) for row, failure in sorted(r.failures.items())}

    @property
    def bytes(self) -> int:
        """Bytes of the chunk files of all committed pieces."""
        return sum(file.bytes for record in self._records.values() for file in record.files.values())

    @property
    def complete(self) -> bool:
        return len(self._records) == self.pieces

    def is_committed(self, piece: int) -> bool:
        return piece in self._records

    def missing_pieces(self, shard: tuple[int, int] = (0, 1)) -> list[int]:
        """Pieces still to be written by shard i of n; every piece belongs to exactly one shard of the n."""
        i, n = shard
        if not 0 <= i < n:
            raise InputError(f"shard {i} of {n} does not exist: shards are numbered from 0 to {n - 1}.")
        return [piece for piece in range(i, self.pieces, n) if piece not in self._records]

    # --- chunk files ---

    def fetch(self, tap: str, pieces: Iterable[int]) -> None:
        """Called before chunk files are read: a store that is elsewhere brings them here."""

    def check_metadata(self, name: str) -> None:
        """Raise `DamagedError` unless a metadata file is what was written."""
        require_intact(self.path / name, self.sums[name], self.remedy)

    def check_piece(self, tap: str, piece: int, content: np.ndarray | None = None) -> None:
        """Raise `DamagedError` unless a chunk file is what was committed; `content` are its mapped bytes."""
        name = self.layout.chunk_name(tap, piece)
        require_intact(self.path / name, self._records[piece].files[name], self.remedy, content)

    def require_no_loss(self) -> None:
        """Raise `DamagedError` if the store is marked as complete but lacks pieces."""
        if self.complete or not (self.path / names.COMPLETE).exists():
            return
        self.refresh()  # another process may have written the last piece meanwhile
        lost = self.missing_pieces()
        if lost:
            rows = self.piece_rows_of(lost[0])
            raise DamagedError(
                f"{self.path} is marked as complete but has lost {len(lost)} of its {self.pieces} pieces, the first of "
                f"them rows {rows.start} to {rows.stop - 1}: {self.remedy}."
            )


def describe_taps(taps: Mapping[str, TapSpec]) -> str:
    """Names, shapes and dtypes, for a message."""
    return ", ".join(f"{tap} {spec.shape} {spec.dtype}" for tap, spec in taps.items())
