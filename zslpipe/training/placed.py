"""Training features where steps reach them fastest: on the device if they fit, else read batch by batch."""

import numpy as np
import torch
from torch import Tensor

from zslpipe import memory
from zslpipe.errors import InputError
from zslpipe.store.rows import Features, Rows

SHARE = 0.4  # of the free memory that features may take
SMALL = 2**30  # bytes up to which a tap is kept in float32 whatever it is stored in


class Placed:
    """Batches of the taps' rows as float32 tensors on a device.

    A small tap is held in float32, a larger one in its stored type, one beyond its share of free memory is streamed.

    Raises:
        InputError: if a row that is held contains NaN or infinity.
    """

    def __init__(self, features: Features, taps: tuple[str, ...], device: torch.device) -> None:
        self.device = device
        self.taps: dict[str, Tensor | Rows] = {}
        free = SHARE * free_bytes(device)
        for tap in taps:
            rows = features[tap]
            size = int(np.prod(rows.shape))
            width = 4 if 4 * size <= min(SMALL, free) else rows.dtype.itemsize
            if width * size > free:
                self.taps[tap] = rows
                continue
            free -= width * size
            self.taps[tap] = _held(tap, rows, torch.float32 if width == 4 else None, device)

    @property
    def streamed(self) -> bool:
        """Whether batches of some tap are read from its source."""
        return any(not isinstance(rows, Tensor) for rows in self.taps.values())

    def __len__(self) -> int:
        return len(next(iter(self.taps.values())))

    def __getitem__(self, index: np.ndarray) -> dict[str, Tensor]:
        """The rows `index` of every tap."""
        at = torch.from_numpy(index).to(self.device)
        return {
            tap: (rows.index_select(0, at) if isinstance(rows, Tensor) else read(rows, index, self.device)).float()
            for tap, rows in self.taps.items()
        }

    def root_mean_squares(self, count: int) -> dict[str, float]:
        """Of every tap, over `count` rows spread evenly."""
        index = np.unique(np.linspace(0, len(self) - 1, count).astype(np.int64))
        sums = dict.fromkeys(self.taps, 0.0)
        values = dict.fromkeys(self.taps, 0)
        for part in np.array_split(index, max(1, len(index) // 64)):
            for tap, rows in self[part].items():
                sums[tap] += float(rows.square().sum(dtype=torch.float64))
                values[tap] += rows.numel()
        return {tap: (sums[tap] / max(1, values[tap])) ** 0.5 for tap in self.taps}


def read(rows: Rows, index: np.ndarray | slice, device: torch.device) -> Tensor:
    """Rows as a tensor of their own dtype; read in ascending order, which is fastest for files."""
    if isinstance(index, slice):
        return torch.from_numpy(np.ascontiguousarray(rows[index])).to(device)
    order = np.argsort(index, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return torch.from_numpy(np.ascontiguousarray(rows[index[order]])).to(device)[torch.from_numpy(back).to(device)]


def _held(tap: str, rows: Rows, dtype: torch.dtype | None, device: torch.device) -> Tensor:
    """All rows in one tensor, filled piece by piece so that memory never holds a second copy."""
    sample = torch.from_numpy(np.ascontiguousarray(rows[:1]))
    held = torch.empty(rows.shape, dtype=dtype or sample.dtype, device=device)
    step = max(1, 2**26 // max(1, int(np.prod(rows.shape[1:]))))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        values = np.ascontiguousarray(rows[part])
        check_finite(tap, values, start)
        held[part] = torch.from_numpy(values).to(device)
    return held


def check_finite(tap: str, values: np.ndarray, start: int = 0) -> None:
    """Raise `InputError` for a NaN or infinite feature; `values` are the rows from `start` on."""
    if np.isfinite(values.sum(dtype=np.float64)):
        return
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))
    if len(bad):
        raise InputError(f"the features '{tap}' contain NaN or infinity in row {start + bad[0]}: remove that image.")


def free_bytes(device: torch.device) -> int:
    """Memory that is available on a device without swapping."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.free_bytes()
