"""Rows of a store at memory speed: in memory if they fit, else memory-mapped, else decoded piece by piece."""

import os
from typing import Any

import numpy as np
import torch
import zarr

from zslpipe.errors import DamagedError, ZslpipeError
from zslpipe.memory import counts_maps, free_bytes, memory_bytes
from zslpipe.store import layout as names
from zslpipe.store.pieces import StoredPieces
from zslpipe.store.rows import Rows

IN_MEMORY_BYTES = 512 << 20  # a tap up to this size is read once and kept
SHARE = 0.2  # of the free memory that a tap in memory may take
GATHERED_ROW_BYTES = 4096  # rows longer than this are copied one by one, shorter ones piece by piece


class PieceRows:
    """Rows stored in pieces; the subclass reads a piece.

    Supports any index for the first axis of a numpy array, with the same result, always as a copy.
    """

    def __init__(self, store: StoredPieces, tap: str) -> None:
        self.store, self.tap = store, tap
        self.shape = store.layout.shape(tap)
        self.dtype: np.dtype[Any] = np.dtype(store.taps[tap].dtype)
        self._positions = np.arange(len(self))
        self._row_bytes = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def piece(self, number: int) -> np.ndarray:
        """(rows of a piece, ...) of a committed piece, checked on first use; the last may be padded."""
        raise NotImplementedError

    def prefetch(self, positions: np.ndarray) -> None:
        """Called with all rows of a request before the first is read."""

    def _committed(self, number: int) -> None:
        if not self.store.is_committed(number):
            rows = self.store.piece_rows_of(number)
            raise ZslpipeError(
                f"rows {rows.start} to {rows.stop - 1} of {self.store.path} are missing: resume the extraction."
            )

    def __getitem__(self, index: Any, /) -> np.ndarray:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                self.prefetch(self._positions[start:stop])
                return self._span(start, max(start, stop))
        positions = self._positions[index]
        if not isinstance(positions, np.ndarray):  # a single row
            number, offset = divmod(int(positions), self.store.piece_rows)
            return self.piece(number)[offset].copy()
        self.prefetch(positions.reshape(-1))
        return self._gather(positions.reshape(-1)).reshape(*positions.shape, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def _span(self, start: int, stop: int) -> np.ndarray:
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        size = self.store.piece_rows
        for number in range(start // size, -(-stop // size) if stop > start else 0):
            low, high = max(start, number * size), min(stop, (number + 1) * size)
            out[low - start : high - start] = self.piece(number)[low - number * size : high - number * size]
        return out

    def _gather(self, positions: np.ndarray) -> np.ndarray:
        out = np.empty((len(positions), *self.shape[1:]), self.dtype)
        numbers, offsets = np.divmod(positions, self.store.piece_rows)
        if self._one_by_one:
            for i, (number, offset) in enumerate(zip(numbers.tolist(), offsets.tolist())):
                out[i] = self.piece(number)[offset]
            return out
        order = np.argsort(numbers, kind="stable")
        first = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        for where in np.split(order, first[1:]) if len(order) else []:
            out[where] = self.piece(int(numbers[where[0]]))[offsets[where]]
        return out

    @property
    def _one_by_one(self) -> bool:
        return self._row_bytes >= GATHERED_ROW_BYTES


class MappedRows(PieceRows):
    """Rows of uncompressed chunk files, each memory-mapped on first use and kept, as far as limits allow."""

    def __init__(self, store: StoredPieces, tap: str) -> None:
        super().__init__(store, tap)
        self._maps: dict[int, np.ndarray] = {}
        most = int(SHARE * free_bytes()) // store.layout.chunk_bytes(tap) if counts_maps() else store.pieces
        self._most_maps = max(1, most)
        self._stays_cached = len(self) * self._row_bytes < memory_bytes() // 2  # in the page cache, once read
        self._prefetched = np.zeros(len(self), bool)

    def prefetch(self, positions: np.ndarray) -> None:
        """Let the system read all these rows from the disk at once instead of one after the other.

        If the page cache can hold the tap, rows are requested only once: a request costs as much as a copy.
        """
        if self.store.elsewhere:
            self.store.fetch(self.tap, np.unique(positions // self.store.piece_rows).tolist())
        if not hasattr(os, "posix_fadvise"):
            return
        if self._stays_cached:
            positions = positions[~self._prefetched[positions]]
            self._prefetched[positions] = True
        if not len(positions):
            return
        rows, size = np.unique(positions), self.store.piece_rows
        starts = np.flatnonzero((np.diff(rows, prepend=-2) != 1) | (rows % size == 0))
        for run in np.split(rows, starts[1:]):
            number, offset = divmod(int(run[0]), size)
            self._fetch(number, offset * self._row_bytes, len(run) * self._row_bytes)

    def _fetch(self, number: int, offset: int, length: int) -> None:
        try:
            handle = os.open(self.store.path / self.store.layout.chunk_name(self.tap, number), os.O_RDONLY)
        except OSError:
            return  # `piece` reports what is wrong with it
        try:
            os.posix_fadvise(handle, offset, length, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(handle)

    def piece(self, number: int) -> np.ndarray:
        found = self._maps.get(number)
        if found is None:
            if len(self._maps) >= self._most_maps:
                self._maps.clear()
            found = self._maps[number] = self._map(number)
        return found

    def _map(self, number: int) -> np.ndarray:
        self._committed(number)
        self.store.fetch(self.tap, [number])
        path = self.store.path / self.store.layout.chunk_name(self.tap, number)
        expected = self.store.layout.chunk_bytes(self.tap)
        size = path.stat().st_size if path.exists() else 0
        if size != expected:  # reading past the end of a mapped file would kill the process
            raise DamagedError(f"{path} has {size} bytes instead of {expected}: {self.store.remedy}.")
        # By torch, which closes the file after mapping it: Python's mmap keeps it open, and a store may have more
        # pieces than a process may have open files.
        flat = torch.from_file(str(path), shared=False, size=expected, dtype=torch.uint8).numpy()
        self.store.check_piece(self.tap, number, flat)
        return flat.view(self.dtype.newbyteorder("<")).reshape(self.store.layout.chunk_shape(self.tap))


class DecodedRows(PieceRows):
    """Rows of compressed chunks, decoded by zarr; the last piece is kept."""

    def __init__(self, store: StoredPieces, tap: str) -> None:
        super().__init__(store, tap)
        store.check_metadata(f"{names.GROUP}/{tap}/zarr.json")
        self._array = zarr.open_array(store.path / names.GROUP / tap, mode="r")
        self._last: tuple[int, np.ndarray] | None = None

    @property
    def _one_by_one(self) -> bool:
        return False  # so that a piece is decoded once for all its rows

    def piece(self, number: int) -> np.ndarray:
        if self._last is None or self._last[0] != number:
            self._committed(number)
            self.store.check_piece(self.tap, number)
            rows = self.store.piece_rows_of(number)
            try:
                self._last = number, np.asarray(self._array[rows.start : rows.stop])
            except (RuntimeError, ValueError, OSError) as problem:  # raised by decoders of damaged bytes
                raise DamagedError(
                    f"piece {number} of {self.store.path} is damaged ({problem}): {self.store.remedy}."
                ) from problem
        return self._last[1]


def open_rows(store: StoredPieces, tap: str, most_bytes: int | None = None) -> Rows:
    """The fastest reader for a tap of this size: an array in memory, a memory map, or a decoder.

    `most_bytes` is the size up to which a tap is held in memory; None for what memory allows.
    """
    most = min(IN_MEMORY_BYTES, int(SHARE * free_bytes())) if most_bytes is None else most_bytes
    rows: PieceRows = DecodedRows(store, tap) if store.layout.compression else MappedRows(store, tap)
    if store.complete and store.pieces * store.layout.chunk_bytes(tap) <= most:
        return rows[:]
    return rows
