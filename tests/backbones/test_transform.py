"""The transform gives exactly the pixels of timm's own."""

import numpy as np
import pytest
import timm.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zslpipe.backbones.transform import MODES, RESAMPLING, Transform
from zslpipe.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def image_of(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def by_timm(image: Image.Image, transform: Transform) -> np.ndarray:
    steps = timm.data.create_transform(
        (3, *transform.size),
        is_training=False,
        use_prefetcher=True,
        interpolation=transform.interpolation,
        mean=transform.mean,
        std=transform.std,
        crop_pct=transform.crop_pct,
        crop_mode=transform.mode,
    )
    return np.asarray(steps(image)).transpose(1, 2, 0)


@settings(max_examples=60)
@given(
    width=st.integers(20, 300),
    height=st.integers(20, 300),
    side=st.integers(16, 96),
    crop_pct=st.sampled_from([0.5, 0.875, 0.9, 0.95, 1.0]),
    interpolation=st.sampled_from(sorted(RESAMPLING)),
    seed=st.integers(0, 1000),
)
def test_pixels_equal_timms(width, height, side, crop_pct, interpolation, seed):
    transform = Transform((side, side), crop_pct, interpolation, MEAN, STD)
    image = image_of(width, height, seed)
    np.testing.assert_array_equal(transform(image), by_timm(image, transform))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_other_modes_and_shapes_equal_timms_too(mode, size):
    transform = Transform(size, 0.9, "bicubic", MEAN, STD, mode)
    image = image_of(150, 90, 0)
    pixels = transform(image)
    assert pixels.shape == (*size, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, by_timm(image, transform))


def test_an_image_of_the_right_size_is_only_cropped():
    image = image_of(320, 256, 0)
    pixels = Transform((224, 224), 0.875, "bicubic", MEAN, STD)(image)
    np.testing.assert_array_equal(pixels, np.asarray(image)[16:240, 48:272])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"interpolation": "fancy"}, "bicubic"),
        ({"mode": "fancy"}, "squash"),
        ({"crop_pct": 0.0}, "crop_pct"),
        ({"crop_pct": 1.5}, "crop_pct"),
        ({"size": (0, 8)}, "size"),
    ],
)
def test_invalid_settings_are_named(change, word):
    settings = {"size": (8, 8), "crop_pct": 1.0, "interpolation": "bicubic", "mean": MEAN, "std": STD} | change
    with pytest.raises(InputError, match=word):
        Transform(**settings)
