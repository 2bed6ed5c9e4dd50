"""Readers index as numpy does, whatever they read from."""

import resource

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zslpipe.errors import ZslpipeError
from zslpipe.store import reader
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.reader import DecodedRows, MappedRows, open_rows

N = 120
INT = st.integers(-N, N - 1)
BOUND = st.none() | st.integers(-N - 5, N + 5)
INDEX = st.one_of(
    INT,
    INT.map(np.int64),
    st.builds(slice, BOUND, BOUND, st.none() | st.integers(-40, 40).filter(bool)),
    st.lists(INT, max_size=200),
    st.lists(INT, max_size=200).map(lambda i: np.array(i, np.int32)),
    st.lists(st.lists(INT, min_size=3, max_size=3), max_size=9).map(lambda i: np.array(i, int).reshape(-1, 3)),
    st.lists(st.booleans(), min_size=N, max_size=N).map(np.array),
    st.just(...),
)


@pytest.fixture(params=["mapped", "mapped, rows one by one", "mapped, one piece at a time", "decoded"])
def rows(request, tmp_path, make, fill, monkeypatch):
    if request.param == "mapped, rows one by one":
        monkeypatch.setattr(reader, "GATHERED_ROW_BYTES", 1)
    elif request.param == "mapped, one piece at a time":
        monkeypatch.setattr(reader, "counts_maps", lambda: True)
        monkeypatch.setattr(reader, "free_bytes", lambda: 0)
    store = fill(make(tmp_path / "s", 7, "zstd" if request.param == "decoded" else None))
    found = open_rows(store, "region", most_bytes=0)
    assert isinstance(found, DecodedRows if request.param == "decoded" else MappedRows)
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=INDEX)
def test_as_numpy_does(rows, contents, index):
    expected = contents["region"][index]
    found = rows[index]
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)
    assert found.flags.writeable
    assert isinstance(found, np.ndarray)


def test_wrong_indices_fail_as_numpys_do(rows):
    for index in (120, -121, [3, 120], np.zeros(119, bool), (1, 2), 1.5, "a", slice(0.5)):
        with pytest.raises((IndexError, TypeError)):
            rows[index]


def test_what_is_read_is_a_copy(rows, contents):
    for index in (3, slice(0, 5), [3], slice(0, 20, 2)):
        rows[index][...] = 0
    assert np.array_equal(np.asarray(rows), contents["region"])


def test_small_taps_are_kept_in_memory(full, contents):
    assert isinstance(open_rows(full, "region"), np.ndarray)
    assert isinstance(open_rows(full, "region", most_bytes=1000), MappedRows)
    assert np.array_equal(open_rows(full, "region"), contents["region"])


def test_an_unfinished_store_is_not_taken_into_memory(tmp_path, make, fill, contents):
    store = fill(make(tmp_path / "s"), [0])
    rows = store.rows("global")
    fill(store)
    assert np.array_equal(rows[:], contents["global"])


def test_more_pieces_than_open_files(tmp_path, benchmark_):
    """A mapping must not hold its file open."""
    taps = {"global": TapSpec((1,), "float32")}
    store = FeatureStore.create(tmp_path / "s", benchmark_, taps, {"fingerprinted": {}, "recorded": {}}, 1)
    for piece in store.missing_pieces():
        store.write_piece(piece, {"global": np.full((1, 1), piece, np.float32)})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    rows = open_rows(store, "global", most_bytes=0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
    try:
        assert rows[:].ravel().tolist() == list(range(120))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_maps_that_count_against_a_limit_are_few(tmp_path, make, fill, monkeypatch, contents):
    monkeypatch.setattr(reader, "counts_maps", lambda: True)
    store = fill(make(tmp_path / "s", 7))
    monkeypatch.setattr(reader, "free_bytes", lambda: 3 * store.layout.chunk_bytes("region") / reader.SHARE)
    rows = open_rows(store, "region", most_bytes=0)
    for index in np.random.default_rng(0).integers(120, size=(30, 4)):
        assert np.array_equal(rows[index], contents["region"][index])
        assert len(rows._maps) <= 3


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_chunk_truncated_after_opening_raises_instead_of_crashing(full, harm):
    rows = open_rows(full, "region", most_bytes=0)
    chunk = full.path / "features.zarr" / "region" / "c.2.0.0"
    chunk.write_bytes(b"short") if harm == "cut" else chunk.unlink()
    with pytest.raises(ZslpipeError, match=r"c\.2\.0\.0 has . bytes instead of 2048: run zslpipe cache repair"):
        rows[70]
    assert rows[0].shape == (4, 8)


@pytest.mark.parametrize("stays", [True, False])
def test_rows_are_fetched_together_and_once(tmp_path, make, fill, monkeypatch, stays):
    rows = open_rows(fill(make(tmp_path / "s", 7)), "region", most_bytes=0)
    rows._stays_cached = stays
    fetched = []
    monkeypatch.setattr(rows, "_fetch", lambda number, offset, length: fetched.append((number, offset, length)))
    rows[[5, 6, 7, 8, 50, 6, -1]]
    assert fetched == [(0, 5 * 64, 2 * 64), (1, 0, 2 * 64), (7, 64, 64), (17, 0, 64)]  # runs do not cross pieces
    fetched.clear()
    rows[4:9]
    assert fetched == ([(0, 4 * 64, 64)] if stays else [(0, 4 * 64, 3 * 64), (1, 0, 2 * 64)])
    fetched.clear()
    rows[[]]
    assert fetched == []
