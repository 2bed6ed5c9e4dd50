"""How a head descends: its optimiser, the schedule of the learning rate, and how batches are drawn."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from zslpipe.parts.settings import Count, NonNegative, Positive, Share, Whole
from zslpipe.training import At, ClassBalanced, Episodes, Sampler, Shuffled


@dataclass
class DescentSettings:
    """Hyper-parameters of training by gradient descent, shared by all heads that train so."""

    epochs: Count = 20
    batch: Count = 64
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Share = 0.9  # of sgd
    weight_decay: NonNegative = 1e-5
    decay_every: Whole = 0  # epochs after which the learning rate is multiplied by `decay`; 0 for never
    decay: Positive = 0.5
    sampling: Literal["shuffle", "episodes", "balanced"] = "shuffle"  # an episode has ways x shots images
    ways: Count = 16
    shots: Count = 2
    episodes: Whole = 0  # per epoch; 0 for enough to draw as many images as there are
    seed: Whole = 0
    device: str = "auto"  # cpu, cuda, cuda:N; auto takes a GPU if there is one
    precision: Literal["float32", "bfloat16"] = "float32"  # of training steps; bfloat16 for autocast

    def optimiser_of(self, parameters: Any, rate: float) -> Optimizer:
        """The optimiser of parameters, or of groups with their own settings, at a learning rate."""
        settings: dict[str, Any] = {"lr": rate, "weight_decay": self.weight_decay, "fused": True}
        if self.optimiser == "sgd":
            return SGD(parameters, momentum=self.momentum, **settings)
        return (Adam if self.optimiser == "adam" else AdamW)(parameters, **settings)

    def rate(self, at: At) -> float:
        """The factor of the learning rate at a position of the training."""
        return self.decay ** (at.epoch // self.decay_every) if self.decay_every else 1.0

    def sampler(self, labels: np.ndarray) -> Sampler:
        """Draws batches of images with these labels (N,)."""
        if self.sampling == "shuffle":
            return Shuffled(len(labels), self.batch, self.seed)
        if self.sampling == "episodes":
            return Episodes(labels, self.ways, self.shots, self.seed, self.episodes or None)
        return ClassBalanced(labels, self.batch, self.seed)

    def cast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Autocast to `precision` within the block."""
        return torch.autocast(device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()
