"""Contact sheets and class cards show the right images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.data.benchmark import Benchmark
from zslpipe.demo import class_card, contact_sheet
from zslpipe.demo.sheet import GAP, SEEN, UNSEEN
from zslpipe.errors import InputError

SIDE = 40


@pytest.fixture
def coloured(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> Benchmark:
    """The tiny benchmark with images; each class has one shade of grey."""
    benchmark = replace(tiny[0], image_root=tmp_path, semantics=np.abs(tiny[0].semantics))
    for image_id, c in zip(benchmark.image_ids, benchmark.labels):
        (tmp_path / image_id).parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 50), (20 * int(c),) * 3).save(tmp_path / image_id)
    return benchmark


def test_sheet_shows_each_class_with_its_colour(coloured: Benchmark, tmp_path: Path) -> None:
    contact_sheet(coloured, tmp_path / "sheet.png", columns=4, side=SIDE)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    for c in range(12):
        x, y = GAP + c % 4 * (SIDE + GAP), GAP + 24 + c // 4 * (SIDE + 24 + GAP)
        assert np.abs(sheet[y + 20, x + 20] - 20 * c).max() <= 3
        assert tuple(sheet[y + SIDE + 1, x + 20]) == (UNSEEN if c >= 9 else SEEN)


def test_card_shows_the_class(coloured: Benchmark, tmp_path: Path) -> None:
    class_card(coloured, "class 7", tmp_path / "card.png", side=SIDE)
    card = np.asarray(Image.open(tmp_path / "card.png")).astype(int)
    assert np.abs(card[60, GAP + 20] - 140).max() <= 3


def test_an_unknown_class_gets_a_suggestion(coloured: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean"):
        class_card(coloured, "klass 7", tmp_path / "card.png")


def test_a_benchmark_without_images_cannot_be_shown(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to show"):
        contact_sheet(tiny[0], tmp_path / "sheet.png")


def test_a_missing_image_is_reported(coloured: Benchmark, tmp_path: Path) -> None:
    (tmp_path / coloured.image_ids[10]).unlink()
    with pytest.raises(InputError, match=r"1/0\.jpg is not a readable image"):
        contact_sheet(coloured, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
