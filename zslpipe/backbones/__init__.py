"""Backbones: images in, features out."""

from zslpipe.backbones.backbone import Backbone
from zslpipe.backbones.load import BACKBONES, list_backbones, load_backbone
from zslpipe.backbones.model import create_model, weights_source
from zslpipe.backbones.split import Tail, Trunk, split
from zslpipe.backbones.taps import TAPS
from zslpipe.backbones.transform import Transform

__all__ = [
    "BACKBONES",
    "TAPS",
    "Backbone",
    "Tail",
    "Transform",
    "Trunk",
    "create_model",
    "list_backbones",
    "load_backbone",
    "split",
    "weights_source",
]
