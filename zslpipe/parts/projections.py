"""Projections of images that are scored again for every setting, kept as far as memory allows."""

from collections.abc import Callable

import numpy as np

from zslpipe.memory import free_bytes
from zslpipe.store.rows import Rows, Subset, blocks

CACHED = 4  # sets of images whose projection is kept,
SHARE = 0.25  # if it takes no more than this share of the free memory


class Projections:
    """Matrices (N, r) by the rows that they are computed from, which must not change meanwhile."""

    def __init__(self) -> None:
        self._kept: dict[object, tuple[Rows, np.ndarray]] = {}

    def of(self, rows: Rows, width: int, project: Callable[[np.ndarray], np.ndarray]) -> np.ndarray | None:
        """What `project` makes of all rows, (N, width) float32; None if that is too much to keep."""
        key = (id(rows.rows), rows.index.tobytes()) if isinstance(rows, Subset) else id(rows)
        if key in self._kept:
            return self._kept[key][1]
        size = 4 * len(rows) * width
        if len(self._kept) >= CACHED or size > SHARE * free_bytes():
            self._kept.clear()
        if size > SHARE * free_bytes():
            return None
        found = projected(rows, width, project)
        self._kept[key] = rows, found  # a reference to the rows, so that their id is not reused
        return found


def projected(rows: Rows, width: int, project: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`project` of blocks of rows, in one matrix (N, width) float32."""
    found = np.empty((len(rows), width), np.float32)
    for start, x in blocks(rows):
        found[start : start + len(x)] = project(x)
    return found
