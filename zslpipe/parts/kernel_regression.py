"""Kernel ridge regression from the semantics of classes to vectors, one eigendecomposition for all ridges."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Kernel = Literal["rbf", "linear"]
EPS = 1e-12


@dataclass(frozen=True, eq=False)
class KernelRegression:
    """f(s) = k(s) (K + lambda I)^-1 Y for targets Y (S, r) of S classes with semantics (S, A).

    Semantics are centred at the mean of the S classes and scaled to unit length. The kernel is exp(-gamma |a - b|^2),
    or <a, b> + 1.
    """

    semantics: np.ndarray
    kernel: Kernel = "rbf"
    gamma: float = 0.3

    @cached_property
    def index(self) -> dict[bytes, int]:
        """The S classes by the bytes of their semantics."""
        return {row.tobytes(): i for i, row in enumerate(self.semantics)}

    @cached_property
    def _unit(self) -> np.ndarray:
        return self.scaled(self.semantics)

    @cached_property
    def _eigen(self) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = np.linalg.eigh(self.between(self.semantics))
        return values.clip(min=0), vectors

    def scaled(self, semantics: np.ndarray) -> np.ndarray:
        """(C, A) centred semantics of unit length, which the kernel compares."""
        centred = np.asarray(semantics, np.float64) - np.asarray(self.semantics, np.float64).mean(0)
        return centred / (np.linalg.norm(centred, axis=1, keepdims=True) + EPS)

    def between(self, semantics: np.ndarray) -> np.ndarray:
        """k (C, S) of other classes and those of the regression."""
        return self._kernel_at(self.scaled(semantics))

    def _kernel_at(self, a: np.ndarray) -> np.ndarray:
        b = self._unit
        if self.kernel == "linear":
            return a @ b.T + 1
        squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        return np.exp(-self.gamma * squared.clip(min=0))

    def weights(self, semantics: np.ndarray, ridge: float) -> np.ndarray:
        """k (K + lambda I)^-1 (C, S)."""
        return self.at(self.scaled(semantics), ridge)

    def at(self, points: np.ndarray, ridge: float) -> np.ndarray:
        """`weights` (..., S) at points (..., A) among scaled semantics."""
        values, vectors = self._eigen
        return np.asarray(
            self._kernel_at(np.atleast_2d(points)).reshape(*points.shape[:-1], -1)
            @ (vectors / (values + ridge))
            @ vectors.T
        )

    def coefficients(self, targets: np.ndarray, ridge: float) -> np.ndarray:
        """(S, r) (K + lambda I)^-1 Y: its products with the kernels of classes are their predictions."""
        values, vectors = self._eigen
        return np.asarray((vectors / (values + ridge)) @ (vectors.T @ targets))

    def left_out(self, targets: np.ndarray, ridge: float) -> np.ndarray:
        """(S, r) prediction of the targets of each class by the regression without it, in closed form."""
        values, vectors = self._eigen
        inverse = (vectors / (values + ridge)) @ vectors.T
        return targets - inverse @ targets / inverse.diagonal()[:, None]

    def slopes(self, at: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(A, N) gradients of k(a) @ `values` (S, N) at one point a (A,) among scaled semantics."""
        if self.kernel == "linear":
            return np.asarray(self._unit.T @ values)
        weighted = self._kernel_at(at[None]).T * values
        return np.asarray(2 * self.gamma * (self._unit.T @ weighted - np.outer(at, weighted.sum(0))))

    def solved(self, targets: np.ndarray, ridge: float) -> np.ndarray:
        """(K + lambda I)^-1 Y (S, r)."""
        values, vectors = self._eigen
        return np.asarray((vectors / (values + ridge)) @ (vectors.T @ targets))
