"""Damage is never used silently: each piece is compared with its checksum on its first use in a process."""

import os

import numpy as np
import pytest

from zslpipe.errors import DamagedError
from zslpipe.store import intact
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.reader import open_rows
from zslpipe.workflows.train import usable_benchmark


def chunks(store, tap):
    return sorted(p for p in (store.path / "features.zarr" / tap).iterdir() if p.name.startswith("c."))


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def swap(one, other):
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def read(store, tap, in_memory):
    store.require_no_loss()  # compressed chunks have other sizes once they are swapped
    return open_rows(store, tap, 1 << 30 if in_memory else 0)[33:35]


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("tap", ["global", "region"])
def test_flipped_bits_and_swapped_chunks_are_refused(tmp_path, make, fill, compression, tap, in_memory):
    for harm in ("flip", "swap"):
        store = fill(make(tmp_path / harm, compression=compression))
        flip_a_bit(chunks(store, tap)[1]) if harm == "flip" else swap(*chunks(store, tap)[1:3])
        with pytest.raises(DamagedError, match=f"zslpipe cache repair {harm}"):
            read(FeatureStore.open(store.path), tap, in_memory)


def test_only_what_is_used_is_read(full):
    flip_a_bit(chunks(full, "global")[1])
    rows = open_rows(FeatureStore.open(full.path), "global", 0)
    assert len(rows[:32]) == 32
    with pytest.raises(DamagedError):
        rows[40]


def test_a_file_is_read_once_until_it_changes(full, monkeypatch):
    read = []
    monkeypatch.setattr(intact, "sum_of", lambda path: read.append(path) or real(path))
    real = __import__("zslpipe.store.sealed", fromlist=["sum_of"]).sum_of
    path = full.path / "benchmark.npz"
    monkeypatch.setattr(intact, "SETTLED_NS", -(10**12))  # as if it had been written long ago
    for _ in range(3):
        FeatureStore.open(full.path).check_metadata("benchmark.npz")
    assert read == [path]
    os.utime(path, ns=(1, 1))
    FeatureStore.open(full.path).check_metadata("benchmark.npz")
    assert read == [path, path]


def test_a_file_that_just_changed_is_read_again(full):
    """Two changes within the clock's resolution leave the same time."""
    before = (full.path / "benchmark.npz").stat()
    full.check_metadata("benchmark.npz")
    flip_a_bit(full.path / "benchmark.npz")
    os.utime(full.path / "benchmark.npz", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DamagedError):
        full.check_metadata("benchmark.npz")


@pytest.mark.parametrize("harm", ["delete", "damage"])
def test_a_complete_store_that_has_lost_a_piece_is_refused(full, harm):
    record = full.path / "pieces" / "000002.json"
    record.unlink() if harm == "delete" else flip_a_bit(record)
    opened = FeatureStore.open(full.path)
    for use in (lambda: opened.rows("global"), lambda: usable_benchmark(opened)):
        with pytest.raises(DamagedError, match=r"marked as complete but has lost 1 of its 4 pieces.*rows 64 to 95"):
            use()


def test_an_unfinished_store_may_lack_pieces(tmp_path, make, fill, contents):
    store = fill(make(tmp_path / "part"), [0, 1, 2])
    assert np.array_equal(store.rows("global")[:96], contents["global"][:96])
