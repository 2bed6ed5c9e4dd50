"""The store as a whole: what goes in comes out, to any zarr client, in whatever order it was written."""

import re

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import Layout, TapSpec
from zslpipe.store.pieces import DONE, FAILED, MISSING
from zslpipe.store.rows import take

PROVENANCE = {"fingerprinted": {"backbone": {"name": "fake", "size": 224}, "dtype": "float16"}, "recorded": {}}


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_what_was_written_is_read_again(tmp_path, make, fill, contents, compression):
    fill(make(tmp_path / "s", compression=compression))
    store = FeatureStore.open(tmp_path / "s")
    assert store.complete
    assert (store.status == DONE).all()
    assert len(store) == 120
    for tap, values in contents.items():
        assert np.array_equal(store.rows(tap)[:], values)
        assert store.rows(tap).dtype == values.dtype


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_any_zarr_client_opens_it(tmp_path, make, fill, contents, compression):
    store = fill(make(tmp_path / "s", compression=compression))
    group = zarr.open_group(tmp_path / "s" / "features.zarr", mode="r")
    assert group.attrs["provenance"] == store.provenance
    assert group.attrs["fingerprint"] == store.fingerprint
    for tap, values in contents.items():
        assert np.array_equal(group[tap][:], values)


def test_a_store_is_the_same_bytes_in_whatever_order_it_was_written(tmp_path, make, fill, files):
    fill(make(tmp_path / "one"))
    other = make(tmp_path / "other")
    fill(other, [2])
    fill(FeatureStore.open(other.path), [3, 0])
    fill(FeatureStore.open(other.path), [1, 2])  # one of them again
    assert files(tmp_path / "one") == files(tmp_path / "other")


def test_failed_images_leave_zeros_and_a_record(tmp_path, make, fill, contents):
    failure, before = Failure("a.jpg", "the file is cut", "PIL"), contents["region"][33].copy()
    store = FeatureStore.open(fill(make(tmp_path / "s"), failed={33: failure}).path)
    assert store.failures == {33: failure}
    assert store.status[33] == FAILED
    assert (store.status == DONE).sum() == 119
    assert np.array_equal(contents["region"][33], before)  # the caller's array is left alone
    for tap, values in contents.items():
        expected = values.copy()
        expected[33] = 0
        assert np.array_equal(store.rows(tap)[:], expected)


def test_an_unfinished_store_says_what_is_missing(tmp_path, make, fill, contents):
    store = FeatureStore.open(fill(make(tmp_path / "s"), [1, 3]).path)
    assert store.missing_pieces() == [0, 2]
    assert np.flatnonzero(store.status == MISSING).tolist() == [*range(32), *range(64, 96)]
    assert np.array_equal(store.rows("region")[[40, 119]], contents["region"][[40, 119]])
    with pytest.raises(ZslpipeError, match=r"rows 64 to 95 of .* are missing"):
        store.rows("region")[[40, 70]]
    fill(store, [0, 2])
    assert np.array_equal(store.rows("region")[:], contents["region"])


def test_a_piece_cannot_be_half_of_what_it_should_be(tmp_path, make, contents):
    store = make(tmp_path / "s")
    good = {tap: values[:32] for tap, values in contents.items()}
    with pytest.raises(ValueError, match="nothing"):
        store.write_piece(0, {"global": good["global"]})
    with pytest.raises(ValueError, match="float64"):
        store.write_piece(0, {**good, "global": good["global"].astype(np.float64)})
    with pytest.raises(ValueError, match="rows 96 to 119"):
        store.write_piece(3, good)
    with pytest.raises(ValueError, match="not rows of piece 0"):
        store.write_piece(0, good, {32: Failure("", "", "")})
    assert store.missing_pieces() == [0, 1, 2, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_that_is_not_finite_gets_in(tmp_path, make, contents, bad):
    store = make(tmp_path / "s")
    values = {tap: values[:32].copy() for tap, values in contents.items()}
    values["region"][7, 2, 3] = bad
    with pytest.raises(ZslpipeError, match=r"region features of row 7 \(0/7.jpg\)"):
        store.write_piece(0, values)
    assert store.missing_pieces() == [0, 1, 2, 3]
    store.write_piece(0, values, {7: Failure("7", "overflow", "none")})  # zeros take its place


def test_other_settings_never_mix(tmp_path, benchmark_, make, fill):
    store = fill(make(tmp_path / "s"))
    again = FeatureStore.open_or_create(store.path, benchmark_, store.taps, PROVENANCE)
    assert again.complete  # what is only recorded may differ
    other = {"fingerprinted": {"backbone": {"name": "fake", "size": 448}, "dtype": "float16"}, "recorded": {}}
    with pytest.raises(InputError, match=re.escape("backbone.size is 224 there and 448 here")):
        FeatureStore.open_or_create(store.path, benchmark_, store.taps, other)
    with pytest.raises(InputError, match="has global"):
        FeatureStore.open_or_create(store.path, benchmark_, {"global": TapSpec((16,))}, PROVENANCE)


def test_another_data_set_is_refused(tmp_path, benchmark_, make):
    from dataclasses import replace

    store = make(tmp_path / "s")
    other = replace(benchmark_, image_ids=tuple(reversed(benchmark_.image_ids)))
    with pytest.raises(InputError, match="holds 120 images of tiny"):
        store.require(other)
    with pytest.raises(InputError, match="holds 120 images of tiny"):
        FeatureStore.open_or_create(store.path, other, store.taps, PROVENANCE)


def test_a_store_never_overwrites_anything(tmp_path, make):
    make(tmp_path / "s")
    with pytest.raises(InputError, match="already exists"):
        make(tmp_path / "s")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="already exists"):
        make(tmp_path / "mine")


def test_an_unfinished_creation_is_completed(tmp_path, make, files):
    make(tmp_path / "whole")
    half = make(tmp_path / "half").path
    (half / "store.json").unlink()
    (half / "features.zarr" / "region" / "zarr.json").unlink()
    (half / ".benchmark.npz.x1.tmp").write_bytes(b"half")
    with pytest.raises(InputError, match="not a feature store"):
        FeatureStore.open(half)
    make(half)
    assert files(half) == files(tmp_path / "whole")


def test_what_is_not_a_store_is_refused_in_one_sentence(tmp_path, full):
    with pytest.raises(InputError, match="is not a feature store"):
        FeatureStore.open(tmp_path / "nowhere")
    record = full.path / "store.json"
    record.write_bytes(record.read_bytes().replace(b"fake", b"fame"))
    with pytest.raises(InputError, match="own checksum: repair"):
        FeatureStore.open(full.path)


def test_a_lost_or_cut_chunk_makes_its_piece_missing(full):
    (full.path / "features.zarr" / "region" / "c.1.0.0").unlink()
    with (full.path / "features.zarr" / "global" / "c.3.0").open("r+b") as stream:
        stream.truncate(100)
    assert FeatureStore.open(full.path).missing_pieces() == [1, 3]


def test_forgotten_pieces_are_written_again(full, fill, files):
    before = files(full.path)
    full.forget([0, 2])
    assert full.missing_pieces() == FeatureStore.open(full.path).missing_pieces() == [0, 2]
    assert not (full.path / "complete.json").exists()
    fill(full)
    assert files(full.path) == before


def test_the_last_of_several_writers_finishes_the_store(tmp_path, make, fill):
    path = make(tmp_path / "s").path
    one, other = FeatureStore.open(path), FeatureStore.open(path)
    fill(one, one.missing_pieces((0, 2)))
    assert not (path / "complete.json").exists()
    fill(other, other.missing_pieces((1, 2)))
    assert other.complete
    assert (path / "complete.json").exists()


def test_unknown_taps_are_refused(full):
    with pytest.raises(InputError, match="no 'trunk'"):
        full.rows("trunk")
    assert "trunk" not in full.features()


def test_taps_are_opened_when_asked_for(full, contents):
    index = np.array([5, 100, 5])
    chosen = take(full.features(), index)
    assert set(chosen) == {"global", "region"}
    assert not full._rows
    assert np.array_equal(chosen["global"][:], contents["global"][index])
    assert set(full._rows) == {"global"}


def test_a_damaged_benchmark_is_never_used(full):
    path = full.path / "benchmark.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ZslpipeError, match="damaged"):
        _ = FeatureStore.open(full.path).benchmark


@given(rows=st.integers(1, 300), piece_rows=st.integers(1, 70), world=st.integers(1, 40))
def test_shards_share_the_pieces_out_exactly(rows, piece_rows, world):
    layout = Layout("d", "h", rows, piece_rows, {"g": TapSpec((1,))}, None, PROVENANCE)
    store = FeatureStore.__new__(FeatureStore)
    store.layout, store._records = layout, {}
    shards = [store.missing_pieces((i, world)) for i in range(world)]
    assert sorted(piece for shard in shards for piece in shard) == list(range(layout.pieces))
    covered = [row for shard in shards for piece in shard for row in layout.piece_range(piece)]
    assert sorted(covered) == list(range(rows))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_that_does_not_exist_is_refused(full):
    for shard in [(2, 2), (-1, 2), (0, 0)]:
        with pytest.raises(InputError, match="does not exist"):
            full.missing_pieces(shard)
