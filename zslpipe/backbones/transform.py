"""The transform from a decoded image to a backbone's input."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image
from timm.data.transforms_factory import transforms_imagenet_eval

from zslpipe.errors import InputError
from zslpipe.json_types import mismatch

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
LARGEST = 8192  # pixels
MODES = ("center", "squash", "border")  # timm's names for how an image that is not square is cropped


@dataclass(frozen=True)
class Transform:
    """Resize and crop exactly as timm's evaluation transform does.

    Args:
        size: (height, width) of the crop in pixels.
        crop_pct: the image is first scaled so that its short side is `size / crop_pct`.
        interpolation: one of RESAMPLING.
        mean, std: per channel, of pixels in [0, 1]; the backbone applies them.
        mode: one of MODES.

    Raises:
        InputError: if an argument is out of range.
    """

    size: tuple[int, int]
    crop_pct: float
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mode: str = "center"

    def __post_init__(self) -> None:
        if self.interpolation not in RESAMPLING:
            raise InputError(f"interpolation must be one of {', '.join(RESAMPLING)}, not '{self.interpolation}'.")
        if self.mode not in MODES:
            raise InputError(f"crop mode must be one of {', '.join(MODES)}, not '{self.mode}'.")
        if not 0 < self.crop_pct <= 1:
            raise InputError(f"crop_pct must be in (0, 1], not {self.crop_pct}: 0.875 is usual.")
        if len(self.size) != 2 or not 1 <= min(self.size) <= max(self.size) <= LARGEST:
            sides = " x ".join(map(str, self.size[:3]))
            raise InputError(f"image size must be between 1 and {LARGEST} pixels, not {sides}.")
        if len(self.mean) != 3 or len(self.std) != 3 or not min(self.std) > 0:
            raise InputError("mean and std must be three numbers each, those of std positive.")

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Pixels (height, width, 3) uint8 of an RGB image, not yet normalised."""
        height, width = self.size
        if self.mode != "center" or height != width:
            return self._by_timm(image)
        short = math.floor(height / self.crop_pct)
        scaled = _scaled(image.size, short)
        left, top = round((scaled[0] - width) / 2.0), round((scaled[1] - height) / 2.0)
        if scaled != image.size:
            # Not only the part that is kept: Pillow rounds the corners of a box to single precision.
            image = image.resize(scaled, RESAMPLING[self.interpolation])
        return np.asarray(image.crop((left, top, left + width, top + height)))

    def _by_timm(self, image: Image.Image) -> np.ndarray:
        steps = transforms_imagenet_eval(
            self.size, self.crop_pct, self.mode, interpolation=self.interpolation, mean=self.mean, use_prefetcher=True
        )
        return np.ascontiguousarray(np.asarray(steps(image)).transpose(1, 2, 0))

    def describe(self) -> dict[str, Any]:
        """All arguments, as JSON; `described` is the inverse."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def described(cls, values: Mapping[str, Any]) -> "Transform":
        """The transform with these arguments, which may come from anyone.

        Raises:
            InputError: if they are not those of a transform.
        """
        if wrong := mismatch(values, cls, "the transform"):
            raise InputError(f"{wrong}.")
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**given)


def _scaled(size: tuple[int, int], short: int) -> tuple[int, int]:
    """(width, height) with the short side at `short`, rounded as torchvision's Resize does."""
    width, height = size
    if width <= height:
        return short, int(short * height / width)
    return int(short * width / height), short
