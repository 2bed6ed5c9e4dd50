"""The cache of features: one zarr group for a (dataset, backbone, settings), written piece by piece."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.store import layout as names
from zslpipe.store.claims import CREATION, Busy, claim
from zslpipe.store.failure import Failure
from zslpipe.store.layout import Layout, TapSpec
from zslpipe.store.metadata import image_list_hash, is_remnant, read_store_record, write_metadata
from zslpipe.store.numbers import first_not_finite, piece_values
from zslpipe.store.provenance import difference, told
from zslpipe.store.reader import StoreFeatures, open_rows
from zslpipe.store.records import Record, committed, read_record
from zslpipe.store.rows import Features, Rows
from zslpipe.store.sealed import Broken, Sum, sum_of, telling
from zslpipe.store.writing import commit, mark_complete, withdraw

MISSING, DONE, FAILED = 0, 1, 2
MAKING_S = 60.0  # for how long one waits while another makes the store


class FeatureStore:
    """Features of every image of a benchmark, a row an image, with what they were made from.

    Make one with `create`, `open` or `open_or_create`. Pieces (runs of rows) are written by `write_piece` in any order,
    by any number of processes, and are there whole or not at all. Rows of failed images hold zeros.
    """

    def __init__(self, path: Path, layout: Layout, sums: dict[str, Sum]) -> None:
        self.path, self.layout, self.sums = path, layout, sums
        self._records: dict[int, Record] = {}
        self._rows: dict[str, Rows] = {}
        self._claimed: set[int] = set()
        self.refresh()

    # --- made and found ---

    @classmethod
    def create(
        cls,
        path: Path,
        benchmark: Benchmark,
        taps: Mapping[str, TapSpec],
        provenance: dict[str, Any],
        piece_rows: int = 256,
        compression: str | None = None,
    ) -> "FeatureStore":
        """Make an empty store for the images of a benchmark.

        Args:
            path: folder of the store; it must not exist or be empty.
            taps: tap name to shape and dtype of what it gives for one image.
            provenance: {"fingerprinted": what changes the numbers, "recorded": what else is worth knowing}, as JSON.
            piece_rows: rows written, checked and redone together.
            compression: None, or "zstd" for smaller files that can no longer be mapped.

        Raises:
            InputError: where the request is wrong or there is something at `path` already.
            ZslpipeError: where the disk refuses.
        """
        layout = Layout(
            benchmark.name,
            image_list_hash(benchmark),
            len(benchmark.labels),
            max(1, min(piece_rows, len(benchmark.labels))),
            dict(taps),
            compression,
            provenance,
        )
        if path.exists() and not is_remnant(path):
            raise InputError(f"{path} is there already and is not an unfinished store: name another folder.")
        with telling(f"could not make the store {path}"):
            path.mkdir(parents=True, exist_ok=True)
            with claim(path / names.LOCK, [CREATION], "the making"):
                if not (path / names.STORE).exists():  # another maker may have been a moment faster
                    write_metadata(path, layout, benchmark)
        store = cls.open(path)
        if store.layout != layout:
            raise InputError(f"{path} was made for other features meanwhile: name another folder.")
        return store

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """Open a store.

        Raises:
            InputError: where there is none, or its own record is damaged.
        """
        return cls(path, *read_store_record(path))

    @classmethod
    def open_or_create(
        cls,
        path: Path,
        benchmark: Benchmark,
        taps: Mapping[str, TapSpec],
        provenance: dict[str, Any],
        piece_rows: int = 256,
        compression: str | None = None,
    ) -> "FeatureStore":
        """Go on with the store at `path`, or make it.

        Raises:
            InputError: where the store there was made otherwise; the sentence names what differs.
        """
        give_up = time.monotonic() + MAKING_S
        while not (path / names.STORE).exists():
            try:
                cls.create(path, benchmark, taps, provenance, piece_rows, compression)
            except Busy:  # workers that start together: one makes the store, the others wait for it
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            except InputError:
                if not (path / names.STORE).exists():
                    raise
        store = cls.open(path)
        differences = difference(store.provenance, provenance)
        if differences:
            raise InputError(f"{path} was made otherwise and features never mix: {told(differences)}.")
        store.require(benchmark)
        if dict(taps) != store.taps:
            raise InputError(f"{path} holds {_taps_told(store.taps)}, not {_taps_told(taps)}: name another folder.")
        store.finish()
        return store

    # --- what it is ---

    @cached_property
    def benchmark(self) -> Benchmark:
        """The benchmark the store was made for, read when first asked for and checked against its sum."""
        path = self.path / names.BENCHMARK
        try:
            whole = sum_of(path) == self.sums[names.BENCHMARK]
        except OSError:
            whole = False
        if not whole:
            raise ZslpipeError(f"{path} is missing or damaged: repair the store.")
        return Benchmark.load(path)

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

    @property
    def piece_rows(self) -> int:
        return self.layout.piece_rows

    @property
    def pieces(self) -> int:
        """How many pieces the store has when it is complete."""
        return self.layout.pieces

    def __len__(self) -> int:
        return self.layout.rows

    def piece_rows_of(self, piece: int) -> range:
        return self.layout.piece_range(piece)

    def require(self, benchmark: Benchmark) -> None:
        """Raise `InputError` unless the store holds this benchmark's images in this benchmark's order."""
        if benchmark.name != self.dataset or image_list_hash(benchmark) != self.layout.images:
            raise InputError(
                f"{self.path} holds {len(self)} images of {self.dataset}, which are not the {len(benchmark.labels)} of "
                f"{benchmark.name} in their order: extract {benchmark.name} first."
            )

    # --- how far it is ---

    def refresh(self) -> None:
        """Take notice of the pieces that other processes have committed or withdrawn."""
        records = {}
        for piece in committed(self.path):
            try:
                if piece < self.pieces:
                    records[piece] = self._records.get(piece) or read_record(self.path, self.layout, piece)
            except (FileNotFoundError, Broken):
                continue  # what cannot be trusted is missing; `verify` says why
        self._records = records

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
        """Row to what went wrong with its image."""
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
            raise InputError(f"shard {i} of {n} does not exist: shards run from 0 to {n - 1}.")
        return [piece for piece in range(i, self.pieces, n) if piece not in self._records]

    # --- written ---

    @contextmanager
    def claim(self, pieces: Iterable[int]) -> Iterator[list[int]]:
        """Keep others from writing these pieces while the block runs; gives those of them that are still missing.

        Raises:
            ZslpipeError: where another process is at one of them.
        """
        pieces = list(pieces)
        free = [piece for piece in pieces if piece not in self._claimed]
        with claim(self.path / names.LOCK, free, "piece {}"):
            self._claimed.update(free)
            try:
                self.refresh()
                yield [piece for piece in pieces if piece not in self._records]
            finally:
                self._claimed.difference_update(free)

    def write_piece(self, piece: int, arrays: Mapping[str, np.ndarray], failures: Mapping[int, Failure] = {}) -> None:
        """Commit one piece: its chunk files first, its record last, each on the disk before the next.

        Args:
            piece: number of the piece.
            arrays: every tap's rows (rows of the piece, ...) in the tap's dtype.
            failures: by row (of the store), the images that gave nothing; what stands in their rows becomes zeros.

        Raises:
            ZslpipeError: where a number is not finite, the disk refuses, or another process is at this piece. The store
                is then as it was, without this piece.
        """
        rows = self.piece_rows_of(piece)
        if not set(failures) <= set(rows):
            raise ValueError(f"failures {sorted(set(failures) - set(rows))} are not rows of piece {piece}")
        checked = {tap: piece_values(arrays.get(tap), spec, rows, failures) for tap, spec in self.taps.items()}
        for tap, values in checked.items():
            if (bad := first_not_finite(values)) is not None:
                row = rows.start + bad
                image = f"row {row} ({self.benchmark.image_ids[row]})"
                raise ZslpipeError(f"{tap} features of {image} are not finite: extract in float32 or skip the image.")
        if piece not in self._claimed:
            with self.claim([piece]):
                self.write_piece(piece, arrays, failures)
            return
        with telling(f"could not write piece {piece} of {self.path}"):
            self._drop([piece])
            self._records[piece] = commit(self.path, self.layout, piece, checked, failures)
            self.finish()

    def forget(self, pieces: Iterable[int]) -> None:
        """Withdraw pieces, so that they are missing again."""
        pieces = sorted(set(pieces))
        with self.claim(pieces), telling(f"could not withdraw pieces of {self.path}"):
            self._drop(pieces)
            withdraw(self.path, self.layout, pieces)

    def finish(self) -> None:
        """Mark the store as complete if no piece is missing, whoever wrote the last."""
        if not self.complete:
            self.refresh()
        if self.complete and not (self.path / names.COMPLETE).exists():
            # Writers that finish at the same time would share a temporary file: one marks, the others are refused.
            making = claim(self.path / names.LOCK, [CREATION], "the completion mark")
            with suppress(Busy), telling(f"could not finish {self.path}"), making:
                mark_complete(self.path, self.layout)

    def _drop(self, pieces: Iterable[int]) -> None:
        for piece in pieces:
            if self._records.pop(piece, None) is not None:
                self._rows.clear()  # they may have these pieces in memory

    # --- read ---

    def rows(self, tap: str) -> Rows:
        """The rows of one tap: in memory if they are few, else mapped, else read piece by piece.

        Asking for a row that is missing raises `ZslpipeError`; rows of failed images are zeros.
        """
        if tap not in self.taps:
            raise InputError(f"{self.path} holds {_taps_told(self.taps)} but no '{tap}': extract that tap first.")
        if tap not in self._rows:
            self._rows[tap] = open_rows(self, tap)
        return self._rows[tap]

    def features(self, index: np.ndarray | None = None) -> Features:
        """Every tap's rows, or the rows `index` of every tap; a tap is opened when it is first asked for."""
        return StoreFeatures(self, index)


def _taps_told(taps: Mapping[str, TapSpec]) -> str:
    return ", ".join(f"{tap} {spec.shape} {spec.dtype}" for tap, spec in taps.items())
