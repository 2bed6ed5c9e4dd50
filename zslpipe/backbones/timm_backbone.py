"""A timm model as a backbone: with its transform and its taps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm.data
import torch
from torch import Tensor

from zslpipe.backbones.engine import Engine, check_precision
from zslpipe.backbones.model import create_model, input_size, pretrained_config
from zslpipe.backbones.packages import package_of
from zslpipe.backbones.taps import Grid, TapModule, Taps, check_taps
from zslpipe.backbones.transform import Transform
from zslpipe.backbones.weights import content_hash, first_line
from zslpipe.devices import pick_device
from zslpipe.errors import InputError


class TorchBackbone:
    """A `Backbone` of a torch model; see `load_backbone`.

    `__call__` also takes normalised images, float (B, 3, H, W). Features have the backbone's precision.

    Attributes:
        weights_hash: SHA-256 of the weights that features depend on.
    """

    def __init__(
        self,
        name: str,
        module: TapModule,
        transform: Transform,
        *,
        precision: str = "float32",
        device: str = "cpu",
        compile: bool = False,
    ) -> None:
        self.name, self.transform, self.precision, self.compile = name, transform, precision, compile
        self.device = pick_device(device)
        self.weights_hash = content_hash(module.model)
        self.taps: dict[str, tuple[int, ...]] = module.shapes
        self.grids: dict[str, Grid | None] = module.grids
        self.engine = Engine(module, transform, self.device, precision, compile)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.taps, self.engine(images)))

    def describe(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "backbone": self.name,
            "weights": self.weights_hash,
            "transform": self.transform.describe(),
            "image_size": list(self.transform.size),
            "precision": self.precision,
            "taps": {tap: list(shape) for tap, shape in self.taps.items()},
        }
        if self.compile:
            about["engine"] = "compile"  # equal to rounding only
        return about


def load_timm(
    name: str,
    weights: str | Path = "timm",
    image_size: int | tuple[int, int] | None = None,
    taps: Sequence[str] = ("global", "region"),
    precision: str = "float32",
    device: str = "cpu",
    *,
    compile: bool = False,
    seed: int = 0,
) -> TorchBackbone:
    """`load_backbone` for timm models only."""
    taps = check_taps(taps)
    check_precision(precision, pick_device(device))
    model = create_model(name, weights, image_size, seed).requires_grad_(False)
    transform = _transform(name, weights, image_size)
    height, width = transform.size
    try:
        module = Taps(model, taps, torch.zeros(1, 3, height, width)).eval()
    except InputError:
        raise
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"backbone '{name}' cannot take images of {height} x {width}: {first_line(error)}") from None
    return TorchBackbone(name, module, transform, precision=precision, device=device, compile=compile)


def _transform(name: str, weights: str | Path, image_size: int | tuple[int, int] | None) -> Transform:
    """The one that the weights were trained with, as far as timm or the package knows."""
    config = pretrained_config(name)
    package = package_of(name) if weights == "package" else None
    values = timm.data.resolve_data_config(package.settings if package else {}, pretrained_cfg=config)
    return Transform(
        size=input_size(config, image_size),
        crop_pct=float(values["crop_pct"]),
        interpolation=values["interpolation"],
        mean=tuple(map(float, values["mean"])),
        std=tuple(map(float, values["std"])),
        mode=values["crop_mode"],
    )
