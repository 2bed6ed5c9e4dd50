"""What the training loop drives: a learner takes steps, a stage says on which batches and for how long."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zslpipe.errors import DivergedError

B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)
B_contra = TypeVar("B_contra", contravariant=True)
Stops = Literal["every", "last", "none"]


class Batches(Protocol[B_co]):
    """A sampler, the rows of a store or an image loader. `epoch(n)` gives the same batches whenever it is asked."""

    def __len__(self) -> int:
        """Batches per epoch."""
        ...

    def epoch(self, number: int, start: int = 0, /) -> Iterable[B_co]:
        """The batches of an epoch (from 0), without the first `start`."""
        ...


@dataclass(frozen=True)
class At:
    """The position of a step in its training.

    Attributes:
        stage: name of the stage.
        epoch: of the stage, from 0.
        epochs: in the stage.
        step: in the epoch, from 0.
        steps: in the epoch.
    """

    stage: str
    epoch: int
    epochs: int
    step: int
    steps: int

    @property
    def progress(self) -> float:
        """The share of the stage's steps that are done, in [0, 1)."""
        return (self.epoch + self.step / self.steps) / self.epochs

    def __str__(self) -> str:
        of = f" of stage '{self.stage}'" if self.stage else ""
        return f"step {self.step + 1} of epoch {self.epoch + 1}{of}"


class Learner(Protocol[B_contra]):
    """Something that learns from one batch at a time.

    Attributes:
        module: everything that is learnt or remembered between steps: parameters and buffers.
        optimisers: by name; their state is kept in checkpoints.
    """

    @property
    def module(self) -> nn.Module: ...

    @property
    def optimisers(self) -> Mapping[str, Optimizer]: ...

    def step(self, batch: B_contra, at: At, /) -> Mapping[str, float]:
        """Take one step and return its losses by name; a step need not report every loss."""
        ...


class Descent(Generic[B]):
    """The ordinary learner: one optimiser goes down the sum of named, already weighted loss terms.

    Args:
        module: what is learnt.
        optimiser: over the module's parameters, at its base learning rates.
        terms: a batch and the position of the step to the loss terms.
        schedule: the factor of the learning rate at a position.
    """

    def __init__(
        self,
        module: nn.Module,
        optimiser: Optimizer,
        terms: Callable[[B, At], Mapping[str, Tensor]],
        schedule: Callable[[At], float] | None = None,
    ) -> None:
        self.module, self.terms, self.schedule = module, terms, schedule
        self.optimiser, self.optimisers = optimiser, {"main": optimiser}
        self.rates = [group["lr"] for group in optimiser.param_groups]

    def step(self, batch: B, at: At) -> dict[str, float]:
        if self.schedule:
            factor = self.schedule(at)
            for group, rate in zip(self.optimiser.param_groups, self.rates):
                group["lr"] = rate * factor
        total, losses = total_of(self.terms(batch, at), at)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        return losses


def total_of(terms: Mapping[str, Tensor], at: At) -> tuple[Tensor, dict[str, float]]:
    """The sum of loss terms, to be differentiated, and their values, read from the device at once.

    Raises:
        DivergedError: if a term is NaN or infinite, before it can reach a weight.
    """
    values = torch.stack([term.reshape(()).float() for term in terms.values()])
    losses = dict(zip(terms, values.tolist()))
    check_losses(losses, at)
    return values.sum(), losses


def check_losses(losses: Mapping[str, float], at: At) -> None:
    """Raise `DivergedError` for a loss that is NaN or infinite."""
    for name, value in losses.items():
        if not abs(value) < float("inf"):  # NaN too
            raise DivergedError(f"the loss '{name}' became {value} in {at}: lower the learning rate or the scale.")


@dataclass(frozen=True)
class Stage(Generic[B]):
    """A part of a training with a learner and batches of its own.

    Args:
        name: shown in progress bars and loss curves; empty for the only stage of a head.
        learner: takes the steps.
        batches: what it learns from.
        epochs: passes over the batches.
        stops: at which of its epochs selection may stop. "every": after n epochs the weights are those of a training of
            n epochs. "last": the schedule depends on the length, so shorter trainings have to be run by themselves.
            "none": later stages build on this one.
        every: with "every", selection may stop only after a multiple of so many epochs, and after the last.
    """

    name: str
    learner: Learner[B]
    batches: Batches[B]
    epochs: int
    stops: Stops = "every"
    every: int = 1

    def may_stop(self, epoch: int) -> bool:
        """Whether selection may stop after this epoch (from 1)."""
        if self.stops == "every":
            return epoch % self.every == 0 or epoch == self.epochs
        return self.stops == "last" and epoch == self.epochs
