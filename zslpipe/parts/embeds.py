"""Protocol for heads whose image embeddings can be stored as features."""

from typing import Protocol, runtime_checkable

import numpy as np

from zslpipe.store.rows import Features


@runtime_checkable
class Embeds(Protocol):
    """Maps an image to a vector that other heads can be trained on."""

    def embed(self, features: Features) -> np.ndarray:
        """(N, E) float32 embeddings of N images; the head must be fitted."""
