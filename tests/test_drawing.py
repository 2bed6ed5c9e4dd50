"""The drawing helpers that several packages share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from zslpipe.drawing import apply_colour_map, drawable, fit_text, load_font, square_thumbnail, write_png
from zslpipe.errors import InputError


def test_text_that_fits_is_unchanged() -> None:
    assert fit_text("Crow", ImageFont.load_default(13), 144) == "Crow"


@pytest.mark.parametrize("width", [40, 144, 240])
def test_long_text_ends_in_an_ellipsis_and_is_as_long_as_possible(width: int) -> None:
    font, text = ImageFont.load_default(13), "Yellow bellied Flycatcher of the southern marshes"
    cut = fit_text(text, font, width)
    kept = cut.removesuffix("…")
    assert cut != kept
    assert text.startswith(kept)
    assert kept == kept.rstrip()
    assert font.getlength(cut) <= width
    assert font.getlength(text[: len(kept) + 2].rstrip() + "…") > width


def test_letters_that_a_font_lacks_are_written_otherwise() -> None:
    built_in = ImageFont.load_default(13)
    assert drawable("Zèbre (δ) …", built_in) == "Zebre (delta) …"
    assert fit_text("Zèbre", built_in, 144) == "Zebre"


def test_accents_and_greek_are_drawn_by_a_font_of_the_system() -> None:
    font = load_font(13)
    if drawable("δ", font) != "δ":
        pytest.skip("the system has none of the fonts")
    boxes = [bytes(font.getmask(letter)) for letter in ("δ", "è", "e", "\uffff")]  # the last is the empty box
    assert len(set(boxes)) == 4


def test_no_width_leaves_the_ellipsis() -> None:
    assert fit_text("Crow", ImageFont.load_default(13), 0) == "…"


def test_thumbnails_are_square_and_show_the_centre(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png")
    thumbnail = square_thumbnail(tmp_path / "x.png", 10)
    assert thumbnail.size == (10, 10)
    assert np.asarray(thumbnail).min() > 150  # resampling rings at the edges


def test_unreadable_and_missing_images_are_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    for name in ("broken.jpg", "missing.jpg"):
        with pytest.raises(InputError, match=rf"{name} is not a readable image \(.*\); replace it"):
            square_thumbnail(tmp_path / name, 10)


def test_colours_are_interpolated_between_stops_and_clipped() -> None:
    colours = apply_colour_map(np.array([[-1.0, 0.0], [0.25, 2.0]]), ("000000", "0a1400", "ff1400"))
    assert colours.tolist() == [[[0, 0, 0], [0, 0, 0]], [[5, 10, 0], [255, 20, 0]]]


def test_a_png_is_written_atomically(tmp_path: Path) -> None:
    write_png(Image.new("RGB", (3, 2), "#102030"), tmp_path / "new" / "x.png")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.png"]
    assert np.asarray(Image.open(tmp_path / "new" / "x.png")).tolist() == [[[16, 32, 48]] * 3] * 2
