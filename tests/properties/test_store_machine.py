"""The store against a model in memory, through any sequence of writes, kills, damage, repairs and exports."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.store.exporting import export_npy
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.pieces import DONE, FAILED, MISSING
from zslpipe.store.reader import open_rows
from zslpipe.store.repair import repair
from zslpipe.store.verify import JUNK, verify

ROWS, PIECE_ROWS = 23, 5
PIECES = 5
TAPS = {"global": TapSpec((3,), "float32"), "region": TapSpec((2, 2), "float16")}
PROVENANCE = {"fingerprinted": {"backbone": "fake"}, "recorded": {}}
BENCHMARK = Benchmark(
    name="machine",
    class_names=("a", "b"),
    semantics=np.eye(2, dtype=np.float32),
    attribute_names=("x", "y"),
    image_ids=tuple(f"{i}.jpg" for i in range(ROWS)),
    labels=np.arange(ROWS) % 2,
    trainval=np.arange(0, 20, 2),
    test_seen=np.array([20, 22]),
    test_unseen=np.arange(1, ROWS, 2),
)


class Killed(BaseException):
    """Simulates the end of the process: nothing cleans up after it."""


class StoreMachine(RuleBasedStateMachine):
    """`committed`: piece to (seed of its contents, failed rows)."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp()) / "store"
        self.committed: dict[int, tuple[int, frozenset[int]]] = {}
        self.harmed: set[int] = set()

    @initialize(compression=st.sampled_from([None, "zstd"]))
    def make(self, compression):
        self.store = FeatureStore.create(self.root, BENCHMARK, TAPS, PROVENANCE, PIECE_ROWS, compression)

    def teardown(self):
        shutil.rmtree(self.root.parent)

    # --- the model

    def values(self, piece, seed):
        rows, rng = self.store.piece_rows_of(piece), np.random.default_rng([piece, seed])
        return {tap: rng.normal(size=(len(rows), *spec.shape)).astype(spec.dtype) for tap, spec in TAPS.items()}

    def failures(self, failed):
        return {row: Failure(f"{row}.jpg", "cut", "PIL") for row in failed}

    def expected(self, tap, piece):
        seed, failed = self.committed[piece]
        values = self.values(piece, seed)[tap]
        values[[row - piece * PIECE_ROWS for row in failed]] = 0
        return values

    # --- actions

    @rule(
        piece=st.integers(0, PIECES - 1), seed=st.integers(0, 3), failed=st.sets(st.integers(0, ROWS - 1), max_size=6)
    )
    def write(self, piece, seed, failed):
        failed = frozenset(failed) & set(self.store.piece_rows_of(piece))
        self.store.write_piece(piece, self.values(piece, seed), self.failures(failed))
        self.committed[piece] = seed, failed
        self.harmed.discard(piece)

    @rule(piece=st.integers(0, PIECES - 1), seed=st.integers(0, 3), steps=st.integers(0, 12), dies=st.booleans())
    def write_in_vain(self, piece, seed, steps, dies):
        """A writer that is killed, or gets an error from the disk, at some step: the piece is committed or missing."""
        left = iter(range(steps))
        record = self.root / self.store.layout.record_name(piece)
        before = record.read_bytes() if record.exists() else b""

        def step(function):
            def stepped(*args, **kwargs):
                if next(left, None) is None:
                    raise Killed if dies else OSError(5, "Input/output error")
                return function(*args, **kwargs)

            return stepped

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", step(os.fsync))
            patch.setattr(Path, "replace", step(Path.replace))
            patch.setattr(Path, "unlink", step(Path.unlink))
            with contextlib.suppress(Killed, ZslpipeError):
                self.store.write_piece(piece, self.values(piece, seed))
        self.store = FeatureStore.open(self.root)
        after = record.read_bytes() if record.exists() else b""
        if not after:
            self.committed.pop(piece, None)
            self.harmed.discard(piece)
        elif after != before:
            self.committed[piece] = seed, frozenset()
            self.harmed.discard(piece)
        elif self.store.is_committed(piece) and self.chunks_hold(piece, seed):
            self.harmed.discard(piece)  # writing the same contents again has repaired the damage

    def chunks_hold(self, piece, seed):
        return all(
            b"".join(bytes(part) for part in self.store.layout.encode(tap, values))
            == (self.root / self.store.layout.chunk_name(tap, piece)).read_bytes()
            for tap, values in self.values(piece, seed).items()
        )

    @rule()
    def reopen(self):
        self.store = FeatureStore.open_or_create(self.root, BENCHMARK, TAPS, PROVENANCE, PIECE_ROWS)

    @rule(pieces=st.sets(st.integers(0, PIECES - 1), max_size=3))
    def forget(self, pieces):
        self.store.forget(pieces)
        for piece in pieces:
            self.committed.pop(piece, None)
        self.harmed -= pieces

    @precondition(lambda self: set(self.committed) - self.harmed)
    @rule(data=st.data())
    def harm(self, data):
        """Flip one bit of a chunk or of a record."""
        piece = data.draw(st.sampled_from(sorted(set(self.committed) - self.harmed)))
        names = [self.store.layout.chunk_name(tap, piece) for tap in TAPS]
        path = self.root / data.draw(st.sampled_from([*names, self.store.layout.record_name(piece)]))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        self.harmed.add(piece)

    @rule()
    def verify_and_repair(self):
        self.store = FeatureStore.open_or_create(self.root, BENCHMARK, TAPS, PROVENANCE, PIECE_ROWS)
        damages = verify(self.root)
        assert {d.piece for d in damages if d.part != JUNK} == self.harmed
        assert repair(self.root, damages).pieces == sorted(self.harmed)
        for piece in self.harmed:
            del self.committed[piece]
        self.harmed.clear()
        self.store = FeatureStore.open(self.root)
        assert verify(self.root) == []

    @precondition(lambda self: not self.harmed)
    @rule()
    def export(self):
        store = FeatureStore.open(self.root)
        folder = self.root.parent / "out"
        if len(self.committed) < PIECES:
            with pytest.raises(InputError, match="are missing"):
                export_npy(store, folder, drop_failed=True)
            return
        usable = np.setdiff1d(BENCHMARK.trainval, [row for _, failed in self.committed.values() for row in failed])
        if not len(usable):
            with pytest.raises(InputError, match="training image"):
                export_npy(store, folder, drop_failed=True)
            return
        done = export_npy(store, folder, "region", drop_failed=True)
        whole = np.concatenate([self.expected("region", piece) for piece in range(PIECES)])
        assert done.left_out.tolist() == sorted(row for _, failed in self.committed.values() for row in failed)
        assert np.array_equal(np.load(folder / "region.npy"), whole[done.rows])

    # --- invariant

    @invariant()
    def holds_what_the_model_holds(self):
        if not hasattr(self, "store"):
            return
        status = self.store.status
        sound = {piece: value for piece, value in self.committed.items() if piece not in self.harmed}
        for piece in range(PIECES):
            rows = self.store.piece_rows_of(piece)
            if piece in sound:
                failed = [row for row in rows if row in sound[piece][1]]
                assert np.flatnonzero(status[rows.start : rows.stop] == FAILED).tolist() == [
                    r - rows.start for r in failed
                ]
                assert (np.delete(status[rows.start : rows.stop], [r - rows.start for r in failed]) == DONE).all()
                for tap in TAPS:
                    found = open_rows(self.store, tap, most_bytes=0)[rows.start : rows.stop]
                    assert np.array_equal(found, self.expected(tap, piece))
            elif piece not in self.harmed:
                assert (status[rows.start : rows.stop] == MISSING).all()


StoreMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20)
TestStore = StoreMachine.TestCase
