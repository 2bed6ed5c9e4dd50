"""timm models behind one interface."""

from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import timm

from zslpipe.backbones.backbone import Backbone, load_backbone
from zslpipe.backbones.taps import TAPS
from zslpipe.backbones.transform import Transform
from zslpipe.registry import Registry

BACKBONES: Registry[Callable[..., Any]] = Registry("backbone", "zslpipe.backbones")


def list_backbones(pattern: str | None = None) -> list[str]:
    """Names of registered backbones and of timm's models that match part of a name, or a pattern with `*?[`."""
    glob = pattern if pattern and set("*?[") & set(pattern) else f"*{pattern or ''}*"
    return [name for name in (*BACKBONES, *timm.list_models()) if fnmatch(name, glob)]


__all__ = ["BACKBONES", "TAPS", "Backbone", "Transform", "list_backbones", "load_backbone"]
