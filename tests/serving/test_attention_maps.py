"""Attention maps are drawn in the right place for any grid, and captions fit."""

import numpy as np
import pytest
from PIL import Image

from zslpipe.errors import InputError
from zslpipe.serving.attention_maps import TILE, Tile, draw_row, overlay


def spot(row: int, column: int, rows: int = 7, columns: int = 7, prefix: int = 0) -> np.ndarray:
    attention = np.full(rows * columns + prefix, 0.001, np.float32)
    attention[prefix + row * columns + column] = 1
    return attention / attention.sum()


@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (6, 2)])
def test_the_brightest_spot_is_where_the_attention_is(row: int, column: int, prefix: int) -> None:
    drawn = np.asarray(overlay(Image.new("RGB", (70, 70), "grey"), spot(row, column, prefix=prefix), (7, 7))).sum(2)
    y, x = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (y // 10, x // 10) == (row, column)


def test_a_grid_need_not_be_square() -> None:
    drawn = np.asarray(overlay(Image.new("RGB", (100, 40), "grey"), spot(1, 7, 4, 10), (4, 10))).sum(2)
    y, x = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (y // 10, x // 10) == (1, 7)


def test_an_unknown_grid_is_rejected() -> None:
    with pytest.raises(InputError, match="the grid of the 13 regions is unknown"):
        overlay(Image.new("RGB", (70, 70)), np.ones(13) / 13, None)


def test_a_row_has_one_tile_per_map() -> None:
    tiles = [Tile("a class name that is too long for the width of a tile", "x", spot(1, 1), grid=(7, 7))] * 3
    sheet = draw_row(Image.new("RGB", (50, 50)), [Tile("picture", "below"), *tiles], "heading")
    assert sheet.width > 4 * TILE
    assert sheet.height > TILE
