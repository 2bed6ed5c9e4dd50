"""Scaling of features and semantics."""

from typing import Literal

import numpy as np

Scaling = Literal["raw", "unit", "standard", "centred", "centred-unit"]
EPS = 1e-12


def fit_scaling(x: np.ndarray, how: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Centre (D,) and divisor (D,) for `scale`, from the rows of x (N, D)."""
    from sklearn.preprocessing import StandardScaler  # imported here: it takes a second

    width = x.shape[1]
    centred = how in ("standard", "centred", "centred-unit")
    found = StandardScaler(with_mean=centred, with_std=how == "standard").fit(x)  # 1 for columns that do not vary
    centre = found.mean_ if centred else np.zeros(width)
    divisor = np.ones(width) if found.scale_ is None else found.scale_
    return centre.astype(np.float32), divisor.astype(np.float32)


def unit_rows(x: np.ndarray, eps: float = EPS) -> np.ndarray:
    """Rows (N, D) divided by their length plus `eps`."""
    return np.asarray(x / (np.linalg.norm(x, axis=1, keepdims=True) + eps))


def scale(x: np.ndarray, how: Scaling, centre: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Rows x (N, D) centred, divided, and scaled to unit length if `how` requires it; float32."""
    x = (np.asarray(x, np.float32) - centre) / divisor
    return unit_rows(x) if how.endswith("unit") else x
