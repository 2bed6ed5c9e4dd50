"""The training loop: batches in, an `Epoch` out after every pass, resumable between any two steps."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from zslpipe.progress import Ticker
from zslpipe.training.checkpoint import Checkpoint
from zslpipe.training.learner import At, Stage, check_losses
from zslpipe.training.seeds import OwnRandom

B = TypeVar("B")


@dataclass(frozen=True)
class Epoch:
    """The outcome of an epoch.

    Attributes:
        stage: name of the stage it belongs to.
        number: in the stage, from 1.
        losses: the mean of every loss over the steps that reported it.
        seconds: its duration.
        history: the losses of all epochs of the stage so far, those before an interruption included.
    """

    stage: str
    number: int
    losses: Mapping[str, float]
    seconds: float
    history: Sequence[Mapping[str, float]]


@dataclass
class Position:
    """How far a stage is: the losses of its finished epochs, and steps and summed losses of the current one."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def add(self, losses: Mapping[str, float]) -> None:
        self.step += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        return {name: total / self.counts[name] for name, total in self.sums.items()}


def train(
    stage: Stage[B],
    *,
    random: OwnRandom,
    checkpoint: Checkpoint | None = None,
    ticker: Ticker | None = None,
) -> Iterator[Epoch]:
    """Run a stage; yields after every epoch, with the module in evaluation mode.

    A stage resumed from a checkpoint yields its remaining epochs, or the last one if all are done. If the checkpoint
    keeps epochs, the earlier ones are yielded again as well.

    Args:
        stage: its learner's module must hold everything that steps change (the state of a loss belongs in buffers).
        random: the random state that steps run on.
        checkpoint: where the state is kept, and resumed from if there is any.
        ticker: advanced by every step.

    Raises:
        DivergedError: if a loss is NaN or infinite.
    """
    learner, batches = stage.learner, stage.batches
    at = Position()
    if checkpoint and (found := checkpoint.restore(learner, random, stage.may_stop)):
        at = Position(**found)
        learner.module.eval()
        if checkpoint.keep_epochs:
            yield from _earlier_epochs(stage, at, checkpoint)
            checkpoint.restore(learner, random, stage.may_stop)
        elif at.epoch == stage.epochs and at.history:
            yield Epoch(stage.name, at.epoch, at.history[-1], 0.0, at.history)
    while at.epoch < stage.epochs:
        started = time.monotonic() - at.seconds
        learner.module.train()
        with random.active():
            for batch in batches.epoch(at.epoch, at.step):
                where = At(stage.name, at.epoch, stage.epochs, at.step, len(batches))
                losses = learner.step(batch, where)
                check_losses(losses, where)
                at.add(losses)
                if ticker:
                    ticker.advance(note=f"loss {sum(losses.values()):.3f}")
                if checkpoint and checkpoint.due and at.step < len(batches):
                    random.take()
                    at.seconds = time.monotonic() - started
                    checkpoint.save(learner, random, asdict(at))
        learner.module.eval()
        history = [*at.history, at.means()]
        done = Epoch(stage.name, at.epoch + 1, history[-1], time.monotonic() - started, history)
        at = Position(epoch=done.number, history=history)
        if checkpoint:
            if stage.may_stop(done.number):
                checkpoint.save_epoch(learner.module, done.number, {"seconds": done.seconds, **done.losses})
            if checkpoint.due or done.number == stage.epochs:
                checkpoint.save(learner, random, asdict(at))
        yield done


def _earlier_epochs(stage: Stage[B], at: Position, checkpoint: Checkpoint) -> Iterator[Epoch]:
    """The epochs at which selection may stop that an interrupted stage has yielded already, once more."""
    for number in filter(stage.may_stop, range(1, at.epoch + 1)):
        losses = checkpoint.load_epoch(stage.learner.module, number)
        seconds = losses.pop("seconds")
        yield Epoch(stage.name, number, losses, seconds, at.history[:number])
