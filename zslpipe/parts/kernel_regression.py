"""Kernel ridge regression from the semantics of classes to vectors, one eigendecomposition for all ridges."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from zslpipe.parts.scaling import unit_rows

Kernel = Literal["rbf", "linear"]


@dataclass(frozen=True, eq=False)
class KernelRegression:
    """f(s) = k(s) (K + lambda I)^-1 Y for targets Y (S, r) of S classes with semantics (S, A).

    Semantics are centred at the mean of the S classes and scaled to unit length. The kernel is exp(-gamma |a - b|^2),
    or <a, b> + 1.
    """

    semantics: np.ndarray
    kernel: Kernel = "rbf"
    gamma: float = 0.3
    _factors: dict[float, Any] = field(default_factory=dict, init=False)

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
        return unit_rows(centred)

    def between(self, semantics: np.ndarray) -> np.ndarray:
        """k (C, S) of other classes and those of the regression."""
        return self._kernel_at(self.scaled(semantics))

    def _kernel_at(self, a: np.ndarray) -> np.ndarray:
        b = self._unit
        if self.kernel == "linear":
            return a @ b.T + 1
        squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        return np.exp(-self.gamma * squared.clip(min=0))

    def predict(self, semantics: np.ndarray, targets: np.ndarray, ridge: float) -> np.ndarray:
        """f (C, r) of other classes, for targets Y (S, r)."""
        return self.at(self.scaled(semantics), targets, ridge)

    def at(self, points: np.ndarray, targets: np.ndarray, ridge: float) -> np.ndarray:
        """f (C, r) at points (C, A) among scaled semantics."""
        if self._only(ridge):
            return np.asarray(self._kernel_at(points) @ self.coefficients(targets, ridge))
        values, vectors = self._eigen
        return np.linalg.multi_dot([self._kernel_at(points), vectors / (values + ridge), vectors.T, targets])

    def coefficients(self, targets: np.ndarray, ridge: float) -> np.ndarray:
        """(S, r) (K + lambda I)^-1 Y: its product with the kernels of classes is their prediction."""
        if not self._only(ridge):
            values, vectors = self._eigen
            return np.asarray((vectors / (values + ridge)) @ (vectors.T @ targets))
        if not self._factors:
            gram = self.between(self.semantics)
            self._factors[ridge] = cho_factor(gram + ridge * np.eye(len(gram)), overwrite_a=True)
        return np.asarray(cho_solve(self._factors[ridge], targets))

    def _only(self, ridge: float) -> bool:
        """Whether no other ridge was asked for: a Cholesky factor takes far less time than an eigendecomposition."""
        return "_eigen" not in self.__dict__ and self._factors.keys() <= {ridge}

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
