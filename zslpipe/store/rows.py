"""Features as passed to heads: the rows of one or more taps, in memory or not."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from zslpipe.store.layout import TapSpec
    from zslpipe.store.version import Version


class Rows(Protocol):
    """An array that can be indexed by rows: a numpy array, a memory-mapped file or a store's reader."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> np.ndarray: ...


Features = Mapping[str, Rows]  # tap name ("global", "region", ...) to its rows
IMAGE = "image"  # not stored: the files (N,) that features were extracted from, or pixels (N, H, W, 3) uint8
BLOCK = 1024  # rows read at a time, since there may be more than memory can hold


def blocks(rows: Rows) -> Iterator[tuple[int, np.ndarray]]:
    """Start and float32 values of consecutive blocks of rows."""
    for start in range(0, len(rows), BLOCK):
        yield start, np.asarray(rows[start : min(start + BLOCK, len(rows))], np.float32)


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


class Appended:
    """Rows with others after them, read when indexed.

    >>> Appended(np.arange(3), np.array([7, 8]))[np.array([4, 0, 3])]
    array([8, 0, 7])
    """

    def __init__(self, rows: Rows, more: np.ndarray) -> None:
        self.rows, self.more = rows, np.asarray(more, rows.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.rows.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.rows.dtype

    def __len__(self) -> int:
        return len(self.rows) + len(self.more)

    def __getitem__(self, index: Any, /) -> np.ndarray:
        wanted = np.arange(len(self))[index]
        added = wanted >= len(self.rows)
        found = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        found[~added], found[added] = self.rows[wanted[~added]], self.more[wanted[added] - len(self.rows)]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


class Taken(Mapping[str, Rows]):
    """The rows `index` of every tap of other features; a tap is opened and its rows are read when they are used.

    A store's information about its features (shapes, versions) is kept.
    """

    def __init__(self, features: Features, index: np.ndarray) -> None:
        self.features, self.index = features, np.asarray(index)
        self._subsets: dict[str, Subset] = {}

    def __getitem__(self, tap: str) -> Rows:
        if tap not in self._subsets:
            self._subsets[tap] = Subset(self.features[tap], self.index)
        return self._subsets[tap]

    def __iter__(self) -> Iterator[str]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def specs(self) -> Mapping[str, "TapSpec"]:
        """Tap name to shape, dtype and grid; empty if the features do not come from a store."""
        return getattr(self.features, "specs", {})

    @property
    def backbone(self) -> Mapping[str, Any]:
        """The description of the backbone; empty if the features do not come from a store."""
        return getattr(self.features, "backbone", {})

    @property
    def source(self) -> str:
        """The store that the features come from; empty if there is none."""
        return getattr(self.features, "source", "")

    @property
    def versions(self) -> tuple["Version", ...]:
        """See `StoreFeatures.versions`."""
        return tuple(v.take(self.index) for v in getattr(self.features, "versions", ()))

    def using(self, taps: Mapping[str, str]) -> "Taken":
        """See `StoreFeatures.using`."""
        return Taken(self.features.using(taps), self.index)  # type: ignore[attr-defined]


def take(features: Features, index: np.ndarray) -> Taken:
    """The rows `index` of every tap, without reading any."""
    return Taken(features, index)


class Joined(dict[str, Rows]):
    """Rows of the taps that both have, one after the other; what a store knows of its features is kept."""

    def __init__(self, features: Taken, more: Features) -> None:
        super().__init__({tap: Appended(features[tap], np.asarray(more[tap][:])) for tap in features if tap in more})
        self.specs, self.backbone, self.source = features.specs, features.backbone, features.source
