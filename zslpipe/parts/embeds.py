"""What a head offers whose embedding of an image is worth keeping as features of its own."""

from typing import Protocol, runtime_checkable

import numpy as np

from zslpipe.store.rows import Features


@runtime_checkable
class Embeds(Protocol):
    """An image becomes a vector that other heads can be trained on."""

    def embed(self, features: Features) -> np.ndarray:
        """(N, E) float32 embeddings of N images; the head must be fitted."""
