"""The contact sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from zslpipe.errors import InputError
from zslpipe.report.gallery import GAP, RIGHT, SIDE, WRONG, Picture, fitted, gallery


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "one.jpg"
    Image.new("RGB", (200, 120), "#808080").save(path)
    return path


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_right_and_wrong_are_framed_in_their_colours(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    gallery(out, [Picture(picture, "a crow", "a crow"), Picture(picture, "a crow", "a jay")], columns=8)
    sheet = np.asarray(Image.open(out).convert("RGB"))
    assert sheet.shape[1] == GAP + 2 * (SIDE + GAP)  # no wider than there are pictures
    edge = GAP + SIDE // 2, GAP - 2
    assert tuple(sheet[edge]) == rgb(RIGHT)
    assert tuple(sheet[edge[0], edge[1] + SIDE + GAP]) == rgb(WRONG)
    assert tuple(sheet[GAP + SIDE // 2, GAP + SIDE // 2]) == rgb("#808080")
    assert [p.name for p in out.parent.iterdir()] == ["sheet.png"]


def test_rows_are_filled_one_after_the_other(picture: Path, tmp_path: Path) -> None:
    sizes = []
    for count in (3, 4, 5):
        gallery(tmp_path / "sheet.png", [Picture(picture, "a", "b")] * count, columns=2)
        sizes.append(Image.open(tmp_path / "sheet.png").size)
    assert sizes[0] == sizes[1]
    assert sizes[2][1] > sizes[1][1]


def test_long_names_are_cut_to_the_width_of_a_picture() -> None:
    font = ImageFont.load_default(13)
    cut = fitted("Yellow bellied Flycatcher of the southern marshes", font)
    assert cut.endswith("…")
    assert font.getlength(cut) <= SIDE
    assert fitted("Crow", font) == "Crow"


def test_what_cannot_be_shown_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.jpg"):
        gallery(tmp_path / "sheet.png", [Picture(broken, "a", "b")])
    with pytest.raises(InputError, match="no picture"):
        gallery(tmp_path / "sheet.png", [])
    assert not (tmp_path / "sheet.png").exists()
