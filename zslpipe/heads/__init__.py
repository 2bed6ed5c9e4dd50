"""The heads. Every module in this folder is imported, so adding a head means adding one file."""

import importlib
import pkgutil

from zslpipe.parts.head import HEADS, Head
from zslpipe.parts.problem import Attributes, Classes
from zslpipe.parts.saved_head import load_head

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["HEADS", "Attributes", "Classes", "Head", "load_head"]
