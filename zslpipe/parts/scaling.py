"""Scaling of features and semantics."""

from typing import Literal

import numpy as np

from zslpipe.store.rows import Rows, blocks

Scaling = Literal["raw", "unit", "standard", "centred", "centred-unit"]
EPS = 1e-12


def fit_scaling(rows: Rows, how: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Centre (D,) and divisor (D,) for `scale`, from rows (N, D)."""
    from sklearn.preprocessing import StandardScaler  # imported here: it takes a second

    width = rows.shape[1]
    centred = how in ("standard", "centred", "centred-unit")
    found = StandardScaler(with_mean=centred, with_std=how == "standard")
    for _, x in blocks(rows) if centred else ():
        found.partial_fit(x)
    centre = found.mean_ if centred else np.zeros(width)
    divisor = found.scale_ if how == "standard" else np.ones(width)  # 1 for columns that do not vary
    return centre.astype(np.float32), divisor.astype(np.float32)


def unit_rows(x: np.ndarray, eps: float = EPS) -> np.ndarray:
    """Rows (N, D) divided by their length plus `eps`."""
    return np.asarray(x / (np.linalg.norm(x, axis=1, keepdims=True) + eps))


def scale(x: np.ndarray, how: Scaling, centre: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Rows x (N, D) centred, divided, and scaled to unit length if `how` requires it; float32."""
    x = (np.asarray(x, np.float32) - centre) / divisor
    return unit_rows(x) if how.endswith("unit") else x
