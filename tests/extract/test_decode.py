"""How each awkward kind of image is decoded, or why it is refused."""

import contextlib
import os
import re

import numpy as np
import PIL
import pytest
from PIL import Image

from zslpipe.extract.decode import UnreadableImage, decoder_version, read_failure, read_image


def close(a: Image.Image, b: Image.Image, within: float = 4.0) -> bool:
    difference = np.asarray(a).astype(float) - np.asarray(b).astype(float)
    return a.size == b.size and a.mode == b.mode == "RGB" and float(np.abs(difference).mean()) < within


@pytest.fixture
def write(tmp_path):
    def to_file(content: bytes, name: str = "image.jpg"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return to_file


def test_png_keeps_every_pixel(write, picture, encoded):
    image = picture(0)
    np.testing.assert_array_equal(np.asarray(read_image(write(encoded(image, "PNG")))), np.asarray(image))


def test_a_png_named_jpg_is_read_as_png(write, picture, encoded):
    assert close(read_image(write(encoded(picture(0), "PNG"), "a.jpg")), picture(0))


def test_grey_becomes_three_equal_channels(write, picture, encoded):
    pixels = np.asarray(read_image(write(encoded(picture(0, mode="L"), "PNG"))))
    assert (pixels == pixels[..., :1]).all()
    np.testing.assert_array_equal(pixels[..., 0], np.asarray(picture(0, mode="L")))


def test_bilevel_becomes_black_and_white(write, picture, encoded):
    assert set(np.unique(np.asarray(read_image(write(encoded(picture(0, mode="1"), "PNG")))))) == {0, 255}


def test_cmyk_becomes_rgb(write, picture, encoded):
    assert close(read_image(write(encoded(picture(0, mode="CMYK"), "JPEG", quality=95))), picture(0), within=8)


def test_palette_is_looked_up(write, picture, encoded):
    image = picture(0, mode="P")
    assert close(read_image(write(encoded(image, "PNG"))), image.convert("RGB"), within=0.1)


def test_transparent_palette_entries_become_white(write, encoded):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 200, 10, 20])
    image.paste(1, (4, 0, 8, 8))
    pixels = np.asarray(read_image(write(encoded(image, "PNG", transparency=0))))
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 4:] == [200, 10, 20]).all()


def test_a_transparent_colour_of_rgb_becomes_white(write, encoded):
    image = Image.new("RGB", (8, 8), (1, 2, 3))
    image.paste((9, 8, 7), (4, 0, 8, 8))
    pixels = np.asarray(read_image(write(encoded(image, "PNG", transparency=(1, 2, 3)))))
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 4:] == [9, 8, 7]).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_blended_with_white(write, encoded, mode):
    image = Image.new(mode, (8, 8), (0, 0, 0, 128) if mode == "RGBA" else (0, 128))
    assert np.abs(np.asarray(read_image(write(encoded(image, "PNG")))).astype(int) - 127).max() <= 1


def test_16_bit_grey_keeps_its_upper_byte(write, encoded):
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    pixels = np.asarray(read_image(write(encoded(Image.fromarray(values), "PNG"))))
    np.testing.assert_array_equal(pixels[..., 0], values >> 8)


@pytest.mark.parametrize(
    ("values", "word"),
    [(np.full((4, 4), 70000, np.int32), "32-bit"), (np.full((4, 4), 0.5, np.float32), "floating-point")],
)
def test_values_without_a_scale_are_refused(write, encoded, values, word):
    with pytest.raises(UnreadableImage, match=word):
        read_image(write(encoded(Image.fromarray(values), "TIFF")))


def test_orientation_of_the_camera_is_applied(write, picture, encoded):
    upright = picture(0)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees clockwise to view"
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    assert close(read_image(write(encoded(lying, "JPEG", exif=exif, quality=95))), upright)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_counts(write, picture, encoded, kind):
    content = encoded(picture(0), kind, save_all=True, append_images=[picture(1)], duration=10)
    assert close(read_image(write(content)), picture(0), within=12)


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "is empty"), (b"no picture, only words", "not an image"), (b"\xff\xd8\xff\xe0", "not an image|damaged")],
    ids=["zero bytes", "text", "a JPEG's first bytes"],
)
def test_files_that_are_not_images_are_refused(write, content, word):
    with pytest.raises(UnreadableImage, match=word):
        read_image(write(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_images_are_damaged(write, picture, encoded, kind, kept):
    content = encoded(picture(0, (200, 160)), kind)
    with pytest.raises(UnreadableImage):
        read_image(write(content[: int(len(content) * kept)]))


@pytest.mark.parametrize("side", [13_000, 60_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bombs_are_refused_before_decoding(write, png_claiming, side):
    with pytest.raises(UnreadableImage, match="pixels"):
        read_image(write(png_claiming(side, side)))


def test_damaged_files_raise_no_other_error(write, picture, encoded):
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        content = encoded(picture(0), kind)
        for _ in range(30):
            damaged = bytearray(content)
            for at in rng.integers(0, len(content), 8):
                damaged[at] = rng.integers(256)
            with contextlib.suppress(UnreadableImage):
                assert read_image(write(bytes(damaged))).mode == "RGB"


def test_missing_files_folders_and_missing_permissions_differ(tmp_path, write):
    with pytest.raises(UnreadableImage, match="does not exist"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(UnreadableImage, match="is a folder"):
        read_image(tmp_path)
    if os.geteuid() != 0:  # root may read everything
        path = write(b"x")
        path.chmod(0)
        with pytest.raises(UnreadableImage, match="permission denied"):
            read_image(path)


def test_a_failure_names_file_reason_and_decoder(tmp_path):
    failure = read_failure(tmp_path / "a.jpg", UnreadableImage("is empty"))
    assert failure.error == f"the image {tmp_path / 'a.jpg'} is empty."
    assert failure.decoder == decoder_version()
    assert re.fullmatch(rf"pillow {re.escape(PIL.__version__)} libjpeg(-turbo)? \S+", failure.decoder)
