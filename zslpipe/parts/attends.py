"""What a head offers whose attention over regions can be shown."""

from typing import Protocol, runtime_checkable

import numpy as np

from zslpipe.store.rows import Features


@runtime_checkable
class AttendsByClass(Protocol):
    """Every class looks at regions of its own."""

    def class_attention(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, R) shares over the regions of N images for the classes that `semantics` (C, A) describes."""


@runtime_checkable
class AttendsByAttribute(Protocol):
    """Every attribute looks at regions of its own, whatever the class."""

    def attention(self, features: Features) -> np.ndarray:
        """(N, R, A) shares over the regions of N images."""
