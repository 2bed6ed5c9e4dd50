"""The training loop: batches in, an `Epoch` out after every pass, resumable between any two steps."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zslpipe.errors import ZslpipeError
from zslpipe.progress import Ticker
from zslpipe.training.checkpoint import Checkpoint
from zslpipe.training.seeds import OwnRandom

B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


class Batches(Protocol[B_co]):
    """A sampler, a store's reader or an image loader; `epoch(n)` must give the same batches when asked again."""

    def __len__(self) -> int: ...

    def epoch(self, number: int, /) -> Iterable[B_co]: ...


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to.

    Attributes:
        number: from 1.
        losses: the mean of every loss term over its steps.
        seconds: that it took.
        history: the losses of all epochs up to this one, those before an interruption included.
    """

    number: int
    losses: Mapping[str, float]
    seconds: float
    history: Sequence[Mapping[str, float]]


@dataclass
class Position:
    """How far a training has come: finished epochs with their losses, and the steps and losses of the one under way."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def means(self) -> dict[str, float]:
        return {name: total / self.step for name, total in self.sums.items()}


def train(
    module: nn.Module,
    terms: Callable[[B], Mapping[str, Tensor]],
    batches: Batches[B],
    optimiser: Optimizer,
    epochs: int,
    *,
    random: OwnRandom,
    schedule: Callable[[int], float] | None = None,
    checkpoint: Checkpoint | None = None,
    ticker: Ticker | None = None,
) -> Iterator[Epoch]:
    """Minimise the sum of the loss terms; yields after every epoch, with the module in evaluation mode.

    A training that goes on from a checkpoint yields the epochs still to come, or the last one where all were done; one
    whose checkpoint keeps epochs yields the earlier ones once more.

    Args:
        module: holds everything that is learnt or remembered (state of a loss belongs in its buffers).
        terms: a batch to its named, already weighted loss terms.
        batches: gives the batches of an epoch.
        optimiser: over the module's parameters, at its base learning rates.
        epochs: passes in all, those of a checkpoint included.
        random: the random state that steps run on.
        schedule: the factor of the learning rate in an epoch (from 0). It knows nothing of `epochs`, so that a
            longer training begins like a shorter one.
        checkpoint: where to keep the state, and to go on from if something is there.
        ticker: is advanced by every step.

    Raises:
        ZslpipeError: as soon as a loss is NaN or infinite, before it reaches a weight.
    """
    base = [group["lr"] for group in optimiser.param_groups]
    at = Position()
    if checkpoint and (found := checkpoint.restore(module, optimiser, random)):
        at = Position(**found)
        if checkpoint.keep_epochs:
            yield from _epochs_before(at, module, checkpoint)
            checkpoint.restore(module, optimiser, random)
        elif at.epoch == epochs and at.history:
            yield Epoch(at.epoch, at.history[-1], 0.0, at.history)
    while at.epoch < epochs:
        for group, rate in zip(optimiser.param_groups, base):
            group["lr"] = rate * (schedule(at.epoch) if schedule else 1.0)
        started = time.monotonic() - at.seconds
        module.train()
        with random.active():
            for batch in itertools.islice(batches.epoch(at.epoch), at.step, None):
                losses = _step(optimiser, terms(batch), at)
                at.step += 1
                for name, value in losses.items():
                    at.sums[name] = at.sums.get(name, 0.0) + value
                if ticker:
                    ticker.advance(note=f"loss {sum(losses.values()):.3f}")
                if checkpoint and checkpoint.due and at.step < len(batches):
                    random.take()
                    at.seconds = time.monotonic() - started
                    checkpoint.save(module, optimiser, random, asdict(at))
        module.eval()
        history = [*at.history, at.means()]
        done = Epoch(at.epoch + 1, history[-1], time.monotonic() - started, history)
        at = Position(epoch=done.number, history=history)
        if checkpoint:
            checkpoint.save_epoch(module, done.number, {"seconds": done.seconds, **done.losses})
            if checkpoint.due or done.number == epochs:
                checkpoint.save(module, optimiser, random, asdict(at))
        yield done


def _step(optimiser: Optimizer, terms: Mapping[str, Tensor], at: Position) -> dict[str, float]:
    """One step down the sum of the terms; returns their values."""
    names, values = list(terms), torch.stack([t.reshape(()).float() for t in terms.values()])
    numbers = values.tolist()
    for name, number in zip(names, numbers):
        if not abs(number) < float("inf"):  # NaN too
            where = f"step {at.step + 1} of epoch {at.epoch + 1}"
            raise ZslpipeError(f"the loss '{name}' became {number} in {where}: lower the learning rate or the scale.")
    optimiser.zero_grad(set_to_none=True)
    values.sum().backward()
    optimiser.step()
    return dict(zip(names, numbers))


def _epochs_before(at: Position, module: nn.Module, checkpoint: Checkpoint) -> Iterator[Epoch]:
    """What an interrupted training had yielded already, once more."""
    module.eval()
    for number in range(1, at.epoch + 1):
        losses: dict[str, Any] = checkpoint.load_epoch(module, number)
        seconds = losses.pop("seconds")
        yield Epoch(number, losses, seconds, at.history[:number])
