"""A writer that dies between any two steps leaves an intact store that resumes to the same bytes."""

import os
from pathlib import Path

import numpy as np
import pytest

from zslpipe.errors import ZslpipeError
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.verify import verify

TAPS = {"global": TapSpec((16,), "float32"), "region": TapSpec((4, 8), "float16")}
PROVENANCE = {"fingerprinted": {"backbone": "fake"}, "recorded": {}}

pytestmark = pytest.mark.faults


@pytest.fixture
def make(tiny):
    """Make an empty store of 120 rows in two pieces."""

    def create(path):
        return FeatureStore.create(path, tiny[0], TAPS, PROVENANCE, 60)

    return create


def fill(store, pieces=None, failed=None):
    """Write pieces of known contents, by default all that are missing."""
    for piece in store.missing_pieces() if pieces is None else pieces:
        rows = store.piece_rows_of(piece)
        values = {
            tap: np.stack([np.full(spec.shape, row, spec.dtype) for row in rows]) for tap, spec in store.taps.items()
        }
        store.write_piece(piece, values, {row: f for row, f in (failed or {}).items() if row in rows})
    return store


def count_steps(on_step):
    """Call `on_step` before every step that changes the disk."""
    fsync, unlink, replace, opened = os.fsync, Path.unlink, Path.replace, Path.open

    class Stream:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def fileno(self):
            return self.stream.fileno()

        def write(self, part):
            half = len(part) // 2
            if half:  # a write may be cut in the middle
                self.stream.write(part[:half])
                on_step("write")
                return half
            return self.stream.write(part)

    def open_(path, mode="r", buffering=-1, **rest):
        stream = opened(path, mode, buffering, **rest)
        return Stream(stream) if mode == "wb" else stream

    def before(name, function):
        def stepped(*args, **kwargs):
            on_step(name)
            return function(*args, **kwargs)

        return stepped

    os.fsync, Path.open = before("fsync", fsync), open_
    Path.unlink, Path.replace = before("unlink", unlink), before("replace", replace)


def write_in_child(work, die_at):
    """Run `work` in a fork that dies before step `die_at`; whether it came to the end instead."""
    pid = os.fork()
    if pid == 0:
        try:
            steps = iter(range(die_at))
            count_steps(lambda _: next(steps, None) is None and os._exit(9))
            work()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return code == 0


@pytest.mark.parametrize("task", ["two pieces", "rewriting", "forgetting"])
def test_dying_at_every_step(tmp_path, make, files, task):
    failed = {3: Failure("x", "y", "z")}
    reference = fill(make(tmp_path / "reference"), failed=failed)
    expected = files(reference.path)
    die_at, ended = 0, False
    while not ended:
        root = tmp_path / f"{die_at}"
        store = make(root)
        if task != "two pieces":
            fill(store, failed=failed)

        def work(store=store):
            if task == "forgetting":
                store.forget([1])
            else:
                fill(store, [0, 1], failed)

        ended = write_in_child(work, die_at)
        store = FeatureStore.open_or_create(root, store.benchmark, store.taps, store.provenance)
        harmful = [d for d in verify(root) if d.part != "junk"]
        assert harmful == [], (die_at, harmful)
        assert [p for p in range(2) if store.is_committed(p)] == [
            p for p in range(2) if p not in store.missing_pieces()
        ]
        fill(store, failed=failed)
        assert files(root) == expected, die_at
        assert verify(root) == []
        die_at += 1
    assert die_at > (3 if task == "forgetting" else 15)


def test_dying_at_every_step_of_the_creation(tmp_path, make, files):
    expected, die_at, ended = files(make(tmp_path / "reference").path), 0, False
    while not ended:
        root = tmp_path / f"{die_at}"
        ended = write_in_child(lambda root=root: make(root), die_at)
        if not ended and not (root / "store.json").exists():
            make(root)
        assert files(root) == expected, die_at
        die_at += 1
    assert die_at > 15


def test_failing_at_every_step(tmp_path, make, files):
    """Not death but an error: one sentence, and the piece is there or it is not."""
    expected = files(fill(make(tmp_path / "reference")).path)
    fail_at, failures = 0, 0
    while True:
        root = tmp_path / f"{fail_at}"
        store = make(root)
        fill(store, [1])
        with pytest.MonkeyPatch.context() as patch:
            for place, name in ((os, "fsync"), (Path, "unlink"), (Path, "replace"), (Path, "open")):
                patch.setattr(place, name, getattr(place, name))  # so that they are put back
            steps = iter(range(fail_at))

            def fail(name, steps=steps):
                if next(steps, None) is None:
                    raise OSError(28, "No space left on device")

            count_steps(fail)
            try:
                fill(store, [0])
                break
            except ZslpipeError as problem:
                message = str(problem)
        failures += 1
        assert "could not" in message
        assert "No space left on device" in message
        assert verify(root) == [] or [d.file for d in verify(root)] == ["complete.json"]
        again = FeatureStore.open_or_create(root, store.benchmark, store.taps, store.provenance)
        fill(again)
        assert files(root) == expected
        fail_at += 1
    assert failures > 8
