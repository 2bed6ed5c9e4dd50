"""The heads. Every module in this folder is imported, so that a new head is one new file."""

import importlib
import pkgutil

from zslpipe.parts.head import HEADS, Attributes, Head, load_head

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["HEADS", "Attributes", "Head", "load_head"]
