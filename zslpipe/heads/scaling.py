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
    from sklearn.preprocessing import StandardScaler  # here: a second that other heads need not wait

    width = x.shape[1]
    centred = how in ("standard", "centred", "centred-unit")
    found = StandardScaler(with_mean=centred, with_std=how == "standard").fit(x)  # 1 for columns that do not vary
    centre = found.mean_ if centred else np.zeros(width)
    divisor = np.ones(width) if found.scale_ is None else found.scale_
    return centre.astype(np.float32), divisor.astype(np.float32)


def scale(x: np.ndarray, how: str, centre: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Rows x (N, D) centred, divided, and of unit length where `how` says so; float32."""
    x = (np.asarray(x, np.float32) - centre) / divisor
    if how.endswith("unit"):
        x /= np.linalg.norm(x, axis=1, keepdims=True) + EPS
    return x
