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
    """Names of timm's models and of registered backbones that match a glob pattern."""
    names = {*timm.list_models(), *timm.list_models(pretrained=True), *BACKBONES}
    return sorted(name for name in names if pattern is None or fnmatch(name, pattern))


__all__ = ["BACKBONES", "TAPS", "Backbone", "Transform", "list_backbones", "load_backbone"]
