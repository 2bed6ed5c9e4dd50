"""Zero-shot learning from cached features: extract once, train heads in seconds, report numbers that hold."""

__version__ = "0.1.0"
