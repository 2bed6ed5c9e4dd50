"""timm models behind one interface."""

from zslpipe.backbones.backbone import Backbone, load_backbone
from zslpipe.backbones.taps import TAPS
from zslpipe.backbones.transform import Transform

__all__ = ["TAPS", "Backbone", "Transform", "load_backbone"]
