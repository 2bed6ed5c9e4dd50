"""The contact sheet of predictions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.errors import InputError
from zslpipe.report.gallery import GAP, RIGHT, SIDE, WRONG, Picture, gallery


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "one.jpg"
    Image.new("RGB", (200, 120), "#808080").save(path)
    return path


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_correct_and_wrong_predictions_have_different_frames(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    gallery(out, [Picture(picture, "a crow", "a crow"), Picture(picture, "a crow", "a jay")], columns=8)
    sheet = np.asarray(Image.open(out).convert("RGB"))
    assert sheet.shape[1] == GAP + 2 * (SIDE + GAP)  # no empty columns
    edge = GAP + SIDE // 2, GAP - 2
    assert tuple(sheet[edge]) == rgb(RIGHT)
    assert tuple(sheet[edge[0], edge[1] + SIDE + GAP]) == rgb(WRONG)
    assert tuple(sheet[GAP + SIDE // 2, GAP + SIDE // 2]) == rgb("#808080")
    assert [p.name for p in out.parent.iterdir()] == ["sheet.png"]


def test_rows_are_filled_in_order(picture: Path, tmp_path: Path) -> None:
    sizes = []
    for count in (3, 4, 5):
        gallery(tmp_path / "sheet.png", [Picture(picture, "a", "b")] * count, columns=2)
        sizes.append(Image.open(tmp_path / "sheet.png").size)
    assert sizes[0] == sizes[1]
    assert sizes[2][1] > sizes[1][1]


def test_an_unreadable_image_is_reported_and_leaves_no_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"broken\.jpg"):
        gallery(tmp_path / "sheet.png", [Picture(broken, "a", "b")])
    with pytest.raises(InputError, match="no images to draw"):
        gallery(tmp_path / "sheet.png", [])
    assert not (tmp_path / "sheet.png").exists()
