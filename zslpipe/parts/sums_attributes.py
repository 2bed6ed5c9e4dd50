"""What a head offers whose scores are sums over attributes."""

from typing import Protocol, runtime_checkable

import numpy as np

from zslpipe.store.rows import Features


@runtime_checkable
class SumsAttributes(Protocol):
    """Every attribute speaks for or against a class, and nothing else does."""

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, A) what each attribute adds to the scores of N images for the classes of `semantics` (C, A).

        They sum to the scores (N, C).
        """
