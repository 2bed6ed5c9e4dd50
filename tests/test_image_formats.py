"""Only formats of photos are decoded, wherever a picture comes from."""

import io
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

import zslpipe
from zslpipe.data.overview import image_error
from zslpipe.drawing import square_thumbnail
from zslpipe.errors import InputError
from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.image_formats import FORMATS, open_image

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(x) print\nshowpage\n%%EOF\n"


def encoded(form: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (12, 9), "red").save(stream, form)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*arguments: object, **_: object) -> None:
        raise AssertionError(f"a picture started {arguments}")

    for name in ("Popen", "run", "call", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, started)


@pytest.mark.parametrize("form", FORMATS)
def test_photos_are_opened_whatever_they_are_called(tmp_path: Path, form: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(encoded(form))
    assert read_image(tmp_path / "photo.jpg").size == (12, 9)
    assert square_thumbnail(tmp_path / "photo.jpg", 4).size == (4, 4)
    assert image_error(tmp_path / "photo.jpg") is None


def others() -> dict[str, bytes]:
    Image.init()
    able = sorted(set(Image.OPEN) & set(Image.SAVE) - set(FORMATS))
    made = {"EPS": EPS}
    for form in able:
        try:
            made.setdefault(form, encoded(form))
        except (OSError, ValueError, KeyError):  # cannot write this picture
            continue
    return made


@pytest.mark.parametrize("form", sorted(others()))
def test_no_other_format_is_opened(tmp_path: Path, form: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(others()[form])
    with pytest.raises(UnidentifiedImageError):
        open_image(path)
    with pytest.raises(UnreadableImage, match="known format"):
        read_image(path)
    with pytest.raises(InputError, match="not a readable image"):
        square_thumbnail(path, 4)
    assert "not a readable image" in str(image_error(path))


def test_images_are_opened_in_one_place() -> None:
    root = Path(zslpipe.__file__).parent
    found = [p.name for p in root.rglob("*.py") if re.search(r"Image\.open\(|imread\(|read_file\(", p.read_text())]
    assert found == ["image_formats.py"]
