"""The demo dataset: drawn pictures of forty invented creatures that differ in named attributes."""

from zslpipe.demo.make import demo_is_complete, make_demo
from zslpipe.demo.sheet import class_card, contact_sheet

__all__ = ["class_card", "contact_sheet", "demo_is_complete", "make_demo"]
