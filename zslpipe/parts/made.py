"""Rows and batches of the taps that a trained tail makes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zslpipe.training import Batch, Batches
from zslpipe.training.placed import Placed

PROBED = 256  # images whose made features are measured at most

Make = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]  # what is read to the made taps


class MadeRows(Placed):
    """Rows of the made taps, as the tail is now; without gradients.

    Args:
        read: rows of what the taps are made from.
        make: makes them.
        tail: put into evaluation mode whenever rows are made.
        taps: their names.
        stored: the rows as the tail made them before it was trained, if they are needed and there are such.
    """

    def __init__(
        self, read: Placed, make: Make, tail: nn.Module, taps: tuple[str, ...], stored: Placed | None = None
    ) -> None:
        self.read, self.make, self.tail, self.device, self.stored = read, make, tail, read.device, stored
        self.taps = dict.fromkeys(taps, torch.empty(0))

    @property
    def streamed(self) -> bool:
        return self.read.streamed

    def __len__(self) -> int:
        return len(self.read)

    def __getitem__(self, index: np.ndarray) -> dict[str, Tensor]:
        self.tail.eval()
        with torch.no_grad():
            return self.make(self.read[index])

    def root_mean_squares(self, count: int) -> dict[str, float]:
        return super().root_mean_squares(min(count, PROBED))


class MadeBatches:
    """Batches whose inputs are made of those of other batches.

    Args:
        batches: of what the taps are made from.
        make: makes them.
        tail: in training mode, and given gradients, if it `trains`.
        cast: active while inputs are made.

    Attributes:
        warm_up: first epochs in which the tail is not trained.
        stored: batches for them, if the taps need not be made.
    """

    warm_up = 0
    stored: Batches[Batch] | None = None

    def __init__(
        self, batches: Batches[Batch], make: Make, tail: nn.Module, trains: bool, cast: AbstractContextManager[Any]
    ) -> None:
        self.batches, self.make, self.tail, self.trains, self.cast = batches, make, tail, trains, cast

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        trains = self.trains and number >= self.warm_up
        self.tail.train(trains)
        if number < self.warm_up and self.stored is not None:
            yield from self.stored.epoch(number, start)
            return
        for batch in self.batches.epoch(number, start):
            with torch.set_grad_enabled(trains), self.cast:
                inputs = self.make(batch.inputs)
            yield replace(batch, inputs=inputs)
