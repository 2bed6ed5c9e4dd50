"""Heads in closed form as torch modules; see `Head.graph`."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from zslpipe.parts.kernel_regression import KernelRegression
from zslpipe.parts.scaling import EPS, Scaling
from zslpipe.parts.scatter import Scaler

Statistics = tuple[np.ndarray, np.ndarray]  # centre and divisor


def unit_rows(x: Tensor) -> Tensor:
    """Rows of unit length; zeros stay zeros."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + EPS)


class Constants(nn.Module):
    """Arrays as buffers, and the scaling of `parts.scaling`."""

    def keep(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            self.register_buffer(name, torch.tensor(array))


class BilinearGraph(Constants):
    """x^T V s of scaled features and scaled semantics."""

    V: Tensor
    centre_x: Tensor
    divisor_x: Tensor
    centre_s: Tensor
    divisor_s: Tensor

    def __init__(self, V: np.ndarray, how_x: Scaling, of_x: Statistics, how_s: Scaling, of_s: Statistics) -> None:
        super().__init__()
        self.keep(V=V, centre_x=of_x[0], divisor_x=of_x[1], centre_s=of_s[0], divisor_s=of_s[1])
        self.unit_x, self.unit_s = how_x.endswith("unit"), how_s.endswith("unit")

    def forward(self, features: Mapping[str, Tensor], semantics: Tensor, seen: Tensor) -> Tensor:
        x = (features["global"] - self.centre_x) / self.divisor_x
        s = (semantics - self.centre_s) / self.divisor_s
        x, s = unit_rows(x) if self.unit_x else x, unit_rows(s) if self.unit_s else s
        return x @ (self.V @ s.T)


class CosineGraph(nn.Module):
    """scale cos(x, s) of a tap and the semantics."""

    def __init__(self, tap: str, scale: float) -> None:
        super().__init__()
        self.tap, self.scale = tap, scale

    def forward(self, features: Mapping[str, Tensor], semantics: Tensor, seen: Tensor) -> Tensor:
        return self.scale * (unit_rows(features[self.tap]) @ unit_rows(semantics).T)


class GaussianGraph(Constants):
    """Log-likelihoods of Gaussians with one covariance, whose means are regressed from semantics.

    Args:
        scaler, basis: project features on r axes.
        regression: of S training classes.
        coefficients: (S, r) of its kernels.
        variance: (r,)
        trained_means: (S, r) of the training classes; None if they are regressed too.
        offsets: (S + 1,) added to the scores of the training classes, and of all others.
        temperature: divides the scores.
    """

    centre: Tensor
    basis: Tensor
    variance: Tensor
    trained: Tensor
    trained_unit: Tensor
    semantic_centre: Tensor
    coefficients: Tensor
    trained_means: Tensor
    offsets: Tensor

    def __init__(
        self,
        scaler: Scaler,
        basis: np.ndarray,
        regression: KernelRegression,
        coefficients: np.ndarray,
        variance: np.ndarray,
        trained_means: np.ndarray | None,
        offsets: np.ndarray,
        temperature: float,
    ) -> None:
        super().__init__()
        self.unit, self.spread, self.temperature = scaler.unit, float(scaler.spread), temperature
        self.kernel, self.gamma = regression.kernel, regression.gamma
        self.regressed = trained_means is None
        self.keep(
            centre=scaler.centre,
            basis=basis,
            variance=variance,
            trained=regression.semantics,
            semantic_centre=np.asarray(regression.semantics, np.float64).mean(0),
            coefficients=coefficients,
            trained_means=np.zeros((1, 1)) if trained_means is None else trained_means,
            offsets=offsets,
        )
        self.trained_unit = unit_rows(self.trained.double() - self.semantic_centre)

    def forward(self, features: Mapping[str, Tensor], semantics: Tensor, seen: Tensor) -> Tensor:
        x = features["global"]
        z = ((unit_rows(x) if self.unit else x) - self.centre) / self.spread @ self.basis  # (B, r)
        means = self.kernels(semantics) @ self.coefficients  # (C, r)
        same = (semantics[:, None] == self.trained).all(2).double()  # (C, S)
        known = same.sum(1, keepdim=True).clamp(max=1)
        if not self.regressed:
            means = known * (same @ self.trained_means) + (1 - known) * means
        offsets = same @ self.offsets[:-1] + (1 - known[:, 0]) * self.offsets[-1]
        bias = offsets - 0.5 * (means.square() / self.variance).sum(1)
        scores: Tensor = z @ (means / self.variance / self.temperature).T.float()
        return scores + (bias / self.temperature).float()

    def kernels(self, semantics: Tensor) -> Tensor:
        """k (C, S) of other classes and the training classes, in double precision."""
        a, b = unit_rows(semantics.double() - self.semantic_centre), self.trained_unit
        if self.kernel == "linear":
            return a @ b.T + 1
        squared = a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T
        return torch.exp(-self.gamma * squared.clamp(min=0))
