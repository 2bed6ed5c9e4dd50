"""Batches for training from rows: in memory, on the device, or streamed from a store."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from zslpipe.training.placed import Placed
from zslpipe.training.samplers import Sampler

T = TypeVar("T")
AHEAD = 2  # streamed batches that are read while the step works on another


@dataclass(frozen=True)
class Batch:
    """Samples of a training.

    Attributes:
        inputs: tap name to (B, ...) float32 features; "image" to (B, 3, H, W) normalised pixels.
        labels: (B,) int64.
        index: (B,) which training samples these are.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    index: np.ndarray


class RowBatches:
    """The rows of training samples, as a sampler draws them.

    Args:
        rows: of every sample, wherever they are.
        labels: (N,) int64, on the device of `rows`.
        sampler: which samples form a batch.
    """

    def __init__(self, rows: Placed, labels: Tensor, sampler: Sampler) -> None:
        self.rows, self.labels, self.sampler = rows, labels, sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        batches = map(self._batch, self.sampler.epoch(number, start))
        return read_ahead(batches, AHEAD) if self.rows.streamed else batches

    def _batch(self, index: np.ndarray) -> Batch:
        at = torch.from_numpy(index).to(self.labels.device)
        return Batch(self.rows[index], self.labels[at], index)


def read_ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """The same items, up to `count` of them computed in a thread before they are asked for."""
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting: deque[Future[T | object]] = deque(thread.submit(next, source, end) for _ in range(count))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, source, end))
            yield item  # type: ignore[misc]
