"""Heads whose learners fix the optimiser and the batches."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

Cast = Callable[[], AbstractContextManager[object]]  # the context of forward passes


@dataclass
class OwnLearner:
    """Before `TorchHead` among the bases: what its own learners fix is no setting; they train on cached features."""

    optimiser: ClassVar[Literal["adam"]] = "adam"
    momentum: ClassVar[float] = 0.9
    weight_decay: ClassVar[float] = 0.0
    decay_every: ClassVar[int] = 0
    decay: ClassVar[float] = 0.5
    sampling: ClassVar[Literal["shuffle"]] = "shuffle"
    ways: ClassVar[int] = 16
    shots: ClassVar[int] = 2
    episodes: ClassVar[int] = 0
    mode: ClassVar[Literal["cached"]] = "cached"
    train_from: ClassVar[str] = ""
    tail_rate: ClassVar[float] = 0.01
    layer_decay: ClassVar[float] = 1.0
    warm_up: ClassVar[int] = 0
    batch_norm: ClassVar[Literal["frozen"]] = "frozen"
    recompute: ClassVar[bool] = False
    augment: ClassVar[bool] = False
    workers: ClassVar[int] = 0


def cast_to(precision: str, device: torch.device) -> Cast:
    """Autocast for "bfloat16", no context otherwise."""
    if precision == "bfloat16":
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return nullcontext
