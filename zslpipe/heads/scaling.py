"""Ways to scale the rows of features and semantics before a closed form sees them."""

from collections.abc import Sequence

import numpy as np

from zslpipe.registry import unknown

SCALINGS = ("raw", "unit", "standard", "centred", "centred-unit")
EPS = 1e-12


def check_scaling(setting: str, value: str, allowed: Sequence[str] = SCALINGS) -> str:
    """The value itself.

    Raises:
        RequestError: for one that is none of the allowed.
    """
    if value not in allowed:
        raise unknown(f"value of {setting}", value, allowed)
    return value


def fit_scaling(x: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Centre (D,) and divisor (D,) that `scale` wants, from the rows of x (N, D)."""
    centre, divisor = np.zeros(x.shape[1], np.float32), np.ones(x.shape[1], np.float32)
    if how in ("standard", "centred", "centred-unit"):
        centre = x.mean(0)
    if how == "standard":
        divisor = np.maximum(x.std(0), EPS)
    return centre.astype(np.float32), divisor.astype(np.float32)


def scale(x: np.ndarray, how: str, centre: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Rows x (N, D) centred, divided, and of unit length where `how` says so; float32."""
    x = (np.asarray(x, np.float32) - centre) / divisor
    if how.endswith("unit"):
        x /= np.linalg.norm(x, axis=1, keepdims=True) + EPS
    return x
