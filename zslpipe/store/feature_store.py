"""The cache of features: one zarr group for a (dataset, backbone, settings), written piece by piece."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import DamagedError, InputError, LockedError, ZslpipeError
from zslpipe.store import layout as names
from zslpipe.store.claims import CREATION, claim
from zslpipe.store.failure import Failure
from zslpipe.store.layout import Layout, TapSpec
from zslpipe.store.metadata import is_unfinished, layout_of, read_store_record, write_metadata
from zslpipe.store.numbers import first_not_finite, piece_values
from zslpipe.store.pieces import StoredPieces, describe_taps
from zslpipe.store.provenance import describe_differences, difference
from zslpipe.store.reader import open_rows
from zslpipe.store.records import Record
from zslpipe.store.rows import Rows
from zslpipe.store.sealed import Sum, explain_os_errors
from zslpipe.store.store_features import StoreFeatures
from zslpipe.store.writing import commit, mark_complete, withdraw

CREATION_TIMEOUT_S = 60.0  # how long to wait while another process creates the store


class FeatureStore(StoredPieces):
    """Features of every image of a benchmark, one row per image, with a record of how they were made.

    Get one from `create`, `open` or `open_or_create`. Pieces are written by `write_piece` in any order, by any number
    of processes, each atomically. Rows of failed images contain zeros.
    """

    def __init__(self, path: Path, layout: Layout, sums: dict[str, Sum]) -> None:
        self._rows: dict[str, Rows] = {}
        self._claimed: set[int] = set()
        super().__init__(path, layout, sums)

    # --- creating and opening ---

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
        """Create an empty store for the images of a benchmark.

        Args:
            path: folder of the store; it must not exist or be empty.
            taps: tap name to the shape and dtype of one image's features.
            provenance: {"fingerprinted": what changes the numbers, "recorded": what else to keep}, as JSON.
            piece_rows: rows that are written, checked and recomputed together.
            compression: None, or "zstd" for smaller files that cannot be memory-mapped.

        Raises:
            InputError: if the request is wrong or something else exists at `path`.
            ZslpipeError: if writing fails.
        """
        layout = layout_of(benchmark, taps, provenance, piece_rows, compression)
        if path.exists() and not is_unfinished(path):
            raise InputError(f"{path} already exists and is not an unfinished store: choose another folder.")
        with explain_os_errors(f"could not create the store {path}"):
            path.mkdir(parents=True, exist_ok=True)
            with claim(path / names.LOCK, [CREATION], "the creation"):
                if not (path / names.STORE).exists():  # another process may have been faster
                    write_metadata(path, layout, benchmark)
        store = cls.open(path)
        if store.layout != layout:
            raise InputError(f"{path} was just created by another process for other features: choose another folder.")
        return store

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """Open a store.

        Raises:
            InputError: if there is none, or its own record is damaged.
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
        """Open the store at `path` to continue it, or create it.

        Raises:
            InputError: if that store was created with different settings; the message lists the differences.
        """
        give_up = time.monotonic() + CREATION_TIMEOUT_S
        while not (path / names.STORE).exists():
            try:
                cls.create(path, benchmark, taps, provenance, piece_rows, compression)
            except LockedError:  # if workers start together, one creates the store and the others wait for it
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            except InputError:
                if not (path / names.STORE).exists():
                    raise
        store = cls.open(path)
        store.resume(benchmark, taps, provenance)
        return store

    def resume(self, benchmark: Benchmark, taps: Mapping[str, TapSpec], provenance: dict[str, Any]) -> None:
        """Continue this store where an earlier call stopped.

        Raises:
            InputError: if it was created with different settings; the message lists the differences.
        """
        place = self.location
        if differences := difference(self.provenance, provenance):
            raise InputError(f"{place} was created with different settings: {describe_differences(differences)}.")
        self.require(benchmark)
        if dict(taps) != self.taps:
            raise InputError(
                f"{place} has {describe_taps(self.taps)}, not {describe_taps(taps)}: choose another folder."
            )
        self.finish()

    def redescribe(self, benchmark: Benchmark) -> bool:
        """Take over the classes, semantics and split of a benchmark of the same images; whether they were different.

        Raises:
            InputError: if its images are not those of the store.
        """
        self.require(benchmark)
        try:
            if self.benchmark.same_classes(benchmark):
                return False
        except DamagedError:  # also what a killed call leaves behind
            pass
        with (
            explain_os_errors(f"could not write to {self.path}"),
            claim(self.path / names.LOCK, [CREATION], "the class table"),
        ):
            self.sums = write_metadata(self.path, self.layout, benchmark)
        self.__dict__.pop("benchmark", None)  # cached
        return True

    # --- writing ---

    @contextmanager
    def claim(self, pieces: Iterable[int]) -> Iterator[list[int]]:
        """Prevent others from writing these pieces while the block runs; yields those that are still missing.

        Raises:
            LockedError: if another process is writing one of them.
        """
        pieces = list(pieces)
        free = [piece for piece in pieces if piece not in self._claimed]
        with claim(self.path / names.LOCK, free, "piece {}"):
            self._claimed.update(free)
            try:
                self.refresh()
                missing = [piece for piece in pieces if piece not in self._records]
                yield missing
            finally:
                self._claimed.difference_update(free)
        if missing:
            self.finish()

    @contextmanager
    def claim_free(self, pieces: Iterable[int]) -> Iterator[Iterator[int]]:
        """Within the block, an iterator over those of these pieces that nobody else has written or is writing.

        Each is claimed when it is its turn, so that several processes can share the pieces without an agreement.
        """

        def free() -> Iterator[int]:
            for piece in pieces:
                if piece in self._records or piece in self._claimed:
                    continue
                try:
                    held.enter_context(claim(self.path / names.LOCK, [piece], "piece {}"))
                except LockedError:
                    continue
                taken.add(piece)
                self._claimed.add(piece)
                if self._read(piece) is None:  # else it was written since the records were read
                    yield piece

        taken: set[int] = set()
        with ExitStack() as held:
            try:
                yield free()
            finally:
                self._claimed.difference_update(taken)
        if taken:
            self.finish()

    def write_piece(self, piece: int, arrays: Mapping[str, np.ndarray], failures: Mapping[int, Failure] = {}) -> None:
        """Commit one piece: its chunk files first, its record last, each synced to the disk before the next.

        Args:
            piece: number of the piece.
            arrays: every tap's rows (rows of the piece, ...) in the tap's dtype.
            failures: images without features, by row of the store; their rows become zeros.

        Raises:
            ZslpipeError: if a number is not finite, writing fails, or another process is writing this piece. The
                store then lacks this piece and is otherwise unchanged.
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
        with explain_os_errors(f"could not write piece {piece} of {self.path}"):
            self._drop([piece])
            self._records[piece] = self._commit(piece, checked, failures)
            if self.complete:
                self.finish()

    def forget(self, pieces: Iterable[int]) -> None:
        """Withdraw pieces, so that they are missing again."""
        pieces = sorted(set(pieces))
        with self.claim(pieces), explain_os_errors(f"could not withdraw pieces of {self.path}"):
            self._drop(pieces)
            self._withdraw(pieces)

    def finish(self) -> None:
        """Mark the store as complete if no piece is missing, whichever process wrote the last one.

        Called when a claim ends and not for every piece: it looks at the records of all.
        """
        if not self.complete:
            self.refresh()
        if self.complete and not (self.path / names.COMPLETE).exists():
            # Writers that finish at the same time would share a temporary file: one marks, the others are refused.
            marking = claim(self.path / names.LOCK, [CREATION], "the completion mark")
            with suppress(LockedError), explain_os_errors(f"could not finish {self.path}"), marking:
                self._mark_complete()

    def _commit(self, piece: int, values: Mapping[str, np.ndarray], failures: Mapping[int, Failure]) -> Record:
        return commit(self.path, self.layout, piece, values, failures)

    def _withdraw(self, pieces: list[int]) -> None:
        withdraw(self.path, self.layout, pieces)

    def _mark_complete(self) -> None:
        mark_complete(self.path, self.layout)

    def _drop(self, pieces: Iterable[int]) -> None:
        for piece in pieces:
            if self._records.pop(piece, None) is not None:
                self._rows.clear()  # these pieces may be in memory

    # --- reading ---

    def rows(self, tap: str) -> Rows:
        """The rows of one tap: in memory if small enough, else memory-mapped, else read piece by piece.

        Reading a missing row raises `ZslpipeError`, reading damage `DamagedError`; rows of failed images are zeros.
        """
        self.require_no_loss()
        if tap not in self.taps:
            raise InputError(f"{self.path} has {describe_taps(self.taps)} but no '{tap}': extract that tap first.")
        if tap not in self._rows:
            self._rows[tap] = open_rows(self, tap)
        return self._rows[tap]

    def __reduce__(self) -> Any:
        """Another process opens the store itself."""
        return FeatureStore.open, (self.path,)

    def features(self) -> StoreFeatures:
        """The rows of all taps; a tap is opened on first use."""
        return StoreFeatures(self, self.rows)
