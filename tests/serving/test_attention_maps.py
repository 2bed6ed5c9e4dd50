"""Maps lie where the attention is, whatever the grid, and captions fit."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from zslpipe.errors import InputError
from zslpipe.serving.attention_maps import TILE, Tile, draw_row, fitting, grid_of, overlaid


def spot(row: int, column: int, rows: int = 7, columns: int = 7, before: int = 0) -> np.ndarray:
    attention = np.full(rows * columns + before, 0.001, np.float32)
    attention[before + row * columns + column] = 1
    return attention / attention.sum()


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 5), (6, 2)])
def test_the_brightest_spot_is_where_the_attention_is(row: int, column: int, before: int) -> None:
    lit = np.asarray(overlaid(Image.new("RGB", (70, 70), "grey"), spot(row, column, before=before))).sum(2)
    y, x = np.unravel_index(lit.argmax(), lit.shape)
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
    assert grid_of(regions, aspect) == grid


def test_regions_that_form_no_grid_are_refused() -> None:
    with pytest.raises(InputError, match="13 regions form no grid over the picture"):
        grid_of(13)


def test_a_row_has_a_tile_each_and_captions_that_fit() -> None:
    tiles = [Tile("a very long name of a class that no tile could ever hold in one line", "x", spot(1, 1))] * 3
    sheet = draw_row(Image.new("RGB", (50, 50)), [Tile("picture", "below"), *tiles], "heading")
    assert sheet.width > 4 * TILE
    assert sheet.height > TILE
    cut = fitting(tiles[0].title, TILE, 15)
    assert cut.endswith("…")
    assert ImageFont.load_default(15).getlength(cut) <= TILE
    assert fitting("short", TILE, 15) == "short"
