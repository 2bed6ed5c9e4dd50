"""Checks of what is written to a store: rows of the right shape and dtype, all finite."""

from collections.abc import Iterable

import numpy as np

from zslpipe.store.layout import TapSpec


def first_not_finite(values: np.ndarray) -> int | None:
    """The first row with NaN or infinity, found by its bits (all ones in the exponent), which is fastest."""
    integer, exponent = {2: (np.uint16, 0x7C00), 4: (np.uint32, 0x7F800000)}[values.dtype.itemsize]
    bits = np.ascontiguousarray(values).view(integer)
    if not bits.size or not ((bits & exponent) == exponent).any():
        return None
    flat = bits.reshape(len(bits), -1)
    return int(np.flatnonzero(((flat & exponent) == exponent).any(1))[0])


def piece_values(values: np.ndarray | None, spec: TapSpec, rows: range, failed: Iterable[int]) -> np.ndarray:
    """The values of one tap and piece as they are stored, with zeros in failed rows.

    Raises:
        ValueError: if shape or dtype are not those of the tap.
    """
    expected = (len(rows), *spec.shape)
    if values is None or values.shape != expected or values.dtype != np.dtype(spec.dtype):
        got = "nothing" if values is None else f"{values.shape} {values.dtype}"
        raise ValueError(f"rows {rows.start} to {rows.stop - 1} must be {expected} {spec.dtype}, not {got}")
    offsets = [row - rows.start for row in failed]
    if offsets:
        values = values.copy()
        values[offsets] = 0
    return values
