"""What may enter a store: rows of the right shape and kind, all of them finite."""

from collections.abc import Iterable

import numpy as np

from zslpipe.store.layout import TapSpec


def first_not_finite(values: np.ndarray) -> int | None:
    """The first row with NaN or infinity, by the bits (an exponent of ones), which is the fastest way to see it."""
    integer, exponent = {2: (np.uint16, 0x7C00), 4: (np.uint32, 0x7F800000)}[values.dtype.itemsize]
    bits = np.ascontiguousarray(values).view(integer)
    if not bits.size or not ((bits & exponent) == exponent).any():
        return None
    flat = bits.reshape(len(bits), -1)
    return int(np.flatnonzero(((flat & exponent) == exponent).any(1))[0])


def piece_values(values: np.ndarray | None, spec: TapSpec, rows: range, failed: Iterable[int]) -> np.ndarray:
    """The values of one tap and piece as they are stored: zeros in failed rows.

    Raises:
        ValueError: where shape or dtype are not those of the tap.
    """
    expected = (len(rows), *spec.shape)
    if values is None or values.shape != expected or values.dtype != np.dtype(spec.dtype):
        got = "nothing" if values is None else f"{values.shape} {values.dtype}"
        raise ValueError(f"rows {rows.start} to {rows.stop - 1} are {expected} {spec.dtype}, not {got}")
    offsets = [row - rows.start for row in failed]
    if offsets:
        values = values.copy()
        values[offsets] = 0
    return values
