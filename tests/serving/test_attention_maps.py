"""Attention maps are drawn in the right place for any grid, and captions fit."""

import numpy as np
import pytest
from PIL import Image

from zslpipe.errors import InputError
from zslpipe.serving.attention_maps import TILE, Tile, draw_row, overlay, region_grid


def spot(row: int, column: int, rows: int = 7, columns: int = 7, prefix: int = 0) -> np.ndarray:
    attention = np.full(rows * columns + prefix, 0.001, np.float32)
    attention[prefix + row * columns + column] = 1
    return attention / attention.sum()


@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (6, 2)])
def test_the_brightest_spot_is_where_the_attention_is(row: int, column: int, prefix: int) -> None:
    drawn = np.asarray(overlay(Image.new("RGB", (70, 70), "grey"), spot(row, column, prefix=prefix))).sum(2)
    y, x = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (y // 10, x // 10) == (row, column)


@pytest.mark.parametrize(
    ("regions", "aspect", "grid"),
    [
        (49, 1.0, (7, 7, 0)),
        (197, 1.0, (14, 14, 1)),
        (70, 0.7, (7, 10, 0)),
        (70, 10 / 7, (10, 7, 0)),
        (1, 1.0, (1, 1, 0)),
    ],
)
def test_grids(regions: int, aspect: float, grid: tuple[int, int, int]) -> None:
    assert region_grid(regions, aspect) == grid


def test_regions_that_do_not_form_a_grid_are_rejected() -> None:
    with pytest.raises(InputError, match="13 regions do not form a grid over the image"):
        region_grid(13)


def test_a_row_has_one_tile_per_map() -> None:
    tiles = [Tile("a class name that is too long for the width of a tile", "x", spot(1, 1))] * 3
    sheet = draw_row(Image.new("RGB", (50, 50)), [Tile("picture", "below"), *tiles], "heading")
    assert sheet.width > 4 * TILE
    assert sheet.height > TILE
