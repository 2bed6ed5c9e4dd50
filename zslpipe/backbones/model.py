"""timm models with their weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from zslpipe.backbones.download import create_pretrained
from zslpipe.backbones.open_clip_models import PREFIX, open_clip_source
from zslpipe.backbones.packages import package_of, package_state
from zslpipe.backbones.weights import first_line, load_state, read_state
from zslpipe.errors import InputError
from zslpipe.files import sha256_file
from zslpipe.random_state import own_random_state
from zslpipe.registry import unknown


def create_model(
    name: str, weights: str | Path = "timm", image_size: int | tuple[int, int] | None = None, seed: int = 0
) -> nn.Module:
    """The timm model itself on the CPU, in eval mode; arguments and errors as for `load_backbone`."""
    config = pretrained_config(name)
    size = input_size(config, image_size)
    options = {} if input_size(config, None) == size else {"img_size": size}
    # Only the CPU's generator is seeded, and put back: torch.manual_seed would seed every GPU as well.
    with torch.device("cpu"), own_random_state():
        torch.default_generator.manual_seed(seed)
        if weights == "timm":
            return _create(name, lambda **k: create_pretrained(name, config, **k), options).eval()
        model = _create(name, lambda **k: timm.create_model(name, pretrained=False, **k), options)
    if weights == "package":
        load_state(model, package_state(name, model), f"the package for {name}")
    elif weights != "random":
        load_state(model, read_state(Path(weights)), str(weights))
    return model.eval()


def weights_source(name: str, weights: str | Path) -> dict[str, str]:
    """Where the weights of `load_backbone(name, weights)` come from, with the hash of their file if it is known."""
    if weights == "package" and (package := package_of(name)) is not None:
        return {"package": package.name, "sha256": package.sha256}
    if weights == "timm" and name.startswith(PREFIX):
        return open_clip_source(name)
    if weights == "timm" and timm.is_model(name):
        config = pretrained_config(name)
        return {key: str(config[key]) for key in ("hf_hub_id", "url") if config.get(key)}
    return {"file": str(weights), "sha256": sha256_file(Path(weights))} if Path(weights).is_file() else {}


def pretrained_config(name: str) -> dict[str, Any]:
    """timm's record of a model: its input size, mean, ..."""
    if not timm.is_model(name):
        raise unknown("backbone", name, timm.list_models() + timm.list_pretrained())
    try:
        found = timm.get_pretrained_cfg(name)
    except RuntimeError:  # the architecture exists, the tag does not
        raise unknown("backbone", name, timm.list_pretrained(f"{name.split('.')[0]}.*")) from None
    return found.to_dict() if found is not None else {"input_size": (3, 224, 224)}


def input_size(config: dict[str, Any], image_size: int | tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) in pixels; the model's own if `image_size` is None."""
    if image_size is None:
        height, width = config["input_size"][1:]
        return int(height), int(width)
    return (image_size, image_size) if isinstance(image_size, int) else (int(image_size[0]), int(image_size[1]))


def _create(name: str, create: Callable[..., nn.Module], options: dict[str, Any]) -> nn.Module:
    """Create with `img_size` if the model has that argument; convolutional networks take any size without it."""
    try:
        return create(**options)
    except TypeError:
        return create()
    except InputError:
        raise
    except (RuntimeError, AssertionError, ValueError) as error:
        size = f" for images of {' x '.join(map(str, options['img_size']))}" if options else ""
        raise InputError(f"cannot create backbone '{name}'{size}: {first_line(error)}") from None
