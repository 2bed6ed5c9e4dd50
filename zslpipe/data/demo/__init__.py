"""The demo set: forty made-up creatures, drawn by the program, that differ in named attributes."""

from zslpipe.data.demo.make import demo_is_complete, make_demo

__all__ = ["demo_is_complete", "make_demo"]
