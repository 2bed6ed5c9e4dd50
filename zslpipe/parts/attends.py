"""Protocols for heads whose attention over regions can be shown."""

from typing import Protocol, runtime_checkable

import numpy as np

from zslpipe.store.rows import Features


@runtime_checkable
class AttendsByClass(Protocol):
    """Every class has its own attention over regions."""

    def class_attention(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, R) attention over the regions of N images, for the classes with these `semantics` (C, A)."""


@runtime_checkable
class AttendsByAttribute(Protocol):
    """Every attribute has its own attention over regions, independent of the class."""

    def attention(self, features: Features) -> np.ndarray:
        """(N, R, A) attention over the regions of N images."""
