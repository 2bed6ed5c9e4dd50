"""Features as heads get them: the rows of one or more taps, in memory or not."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class Rows(Protocol):
    """An array that can be indexed by rows: a numpy array, a memory-mapped file or a store's reader."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> np.ndarray: ...


Features = Mapping[str, Rows]  # tap name ("global", "region", ...) to its rows


class Subset:
    """The rows `index` of other rows, read when indexed.

    >>> Subset(np.arange(10), np.array([2, 5, 7]))[1:]
    array([5, 7])
    """

    def __init__(self, rows: Rows, index: np.ndarray) -> None:
        self.rows, self.index = rows, np.asarray(index)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.index), *self.rows.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.rows.dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Any, /) -> np.ndarray:
        return self.rows[self.index[index]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def take(features: Features, index: np.ndarray) -> Features:
    """The rows `index` of every tap, without reading any."""
    return {tap: Subset(rows, index) for tap, rows in features.items()}
