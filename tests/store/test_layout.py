"""How a store is divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.errors import InputError
from zslpipe.store.layout import Layout, TapSpec, good_piece_rows

PROVENANCE = {"fingerprinted": {"x": 1}, "recorded": {"y": [2]}}


@given(rows=st.integers(0, 50_000), row_bytes=st.integers(1, 1 << 22), piece_bytes=st.integers(1, 1 << 26))
def test_pieces_are_of_a_good_size(rows, row_bytes, piece_bytes):
    size = good_piece_rows(rows, row_bytes, piece_bytes)
    assert size >= 1
    pieces = -(-rows // size)
    if rows:
        assert size <= rows
        assert size == 1 or size * row_bytes <= 2 * piece_bytes + row_bytes
        assert pieces * size - rows < size  # no piece is empty
        assert pieces * size - rows < pieces or size <= 2  # what the last lacks is little


def test_the_header_gives_the_layout_back():
    taps = {"global": TapSpec((3,), "float32"), "region": TapSpec((2, 3))}
    layout = Layout("d", "h", 10, 4, taps, "zstd", PROVENANCE)
    assert Layout.from_header(layout.header()) == layout
    assert layout.pieces == 3
    assert [list(layout.piece_range(p)) for p in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    with pytest.raises(IndexError):
        layout.piece_range(3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"taps": {}}, "at least one tap"),
        ({"taps": {"a/b": TapSpec((1,))}}, "not a valid tap name"),
        ({"taps": {"a": TapSpec((1,), "int8")}}, "float16 or float32"),
        ({"taps": {"a": TapSpec((4, 3), grid=(5, 1))}}, "does not contain a grid"),
        ({"compression": "gzip"}, "None or 'zstd'"),
        ({"piece_rows": 0}, "piece_rows must be at least 1"),
    ],
)
def test_what_cannot_be_stored_is_refused(wrong, message):
    good = {"piece_rows": 4, "taps": {"a": TapSpec((1,))}, "compression": None}
    with pytest.raises(InputError, match=message):
        Layout(dataset="d", images="h", rows=10, provenance=PROVENANCE, **{**good, **wrong})


@pytest.mark.parametrize(("rows", "most"), [(346, 64), (64, 64), (65, 64), (1, 64), (10_000, 64)])
def test_slow_rows_come_in_small_pieces(rows, most):
    size = good_piece_rows(rows, 1000, most_rows=most)
    assert size <= most
    assert -(-rows // size) == max(1, -(-rows // most))  # no more pieces than that takes
