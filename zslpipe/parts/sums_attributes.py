"""What a head offers whose scores, or differences of scores, are sums over attributes."""

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


@runtime_checkable
class ContrastsAttributes(Protocol):
    """The difference of two classes' scores is a sum over the attributes in which they differ, and a rest."""

    def attribute_differences(self, features: Features, winner: np.ndarray, rival: np.ndarray) -> np.ndarray:
        """(N, A) what each attribute adds to the lead of one class over another (A,), for N images."""
