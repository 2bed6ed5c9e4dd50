"""Episodic meta-learning: tasks whose training and validation classes are disjoint, and the learner that uses them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.optim import Optimizer

from zslpipe.errors import InputError
from zslpipe.training.batches import Batch
from zslpipe.training.learner import At, total_of
from zslpipe.training.samplers import ByClass

Order = Literal["second-order", "first-order"]
Weights = dict[str, Tensor]
# (weights, inputs (n, ...), labels (n,)) of one task to its loss; runs under vmap.
TaskLoss = Callable[[Weights, Tensor, Tensor], Tensor]


class Tasks(ByClass):
    """Batches of tasks. A task has `ways` classes to train on and as many others to validate on.

    The samples of a batch are those of its tasks one after another: ways x shots, then ways x queries, class by class.
    With fewer than 2 ways classes, a task has half of the classes on each side; a class with too few images repeats
    some.

    Args:
        labels: (N,) classes of the samples.
        tasks: per batch.
        ways, shots, queries: classes on each side, images of each for training and for validation.
        seed: determines every epoch.

    Raises:
        InputError: if there are fewer than two classes.
    """

    def __init__(self, labels: np.ndarray, tasks: int, ways: int, shots: int, queries: int, seed: int) -> None:
        super().__init__(labels, seed)
        self.tasks, self.ways, self.shots, self.queries = tasks, min(ways, len(self.classes) // 2), shots, queries
        if not self.ways:
            raise InputError("meta-learning needs at least two classes with training images.")

    def __len__(self) -> int:
        """Enough to draw as many samples as there are."""
        return -(-len(self.labels) // (self.tasks * self.ways * (self.shots + self.queries)))

    def indices(self, number: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng([self.seed, number])
        for _ in range(len(self)):
            yield np.concatenate([self._task(rng) for _ in range(self.tasks)])

    def _task(self, rng: np.random.Generator) -> np.ndarray:
        rows = rng.permutation(len(self.classes))[: 2 * self.ways]
        sides = (rows[: self.ways], self.shots), (rows[self.ways :], self.queries)
        return np.concatenate([self._images(rng, row, count) for side, count in sides for row in side])

    def _images(self, rng: np.random.Generator, row: int, count: int) -> np.ndarray:
        return self.table[row, np.resize(rng.permutation(self.counts[row]), count)]


class MetaLearner:
    """Model-agnostic meta-learning of a module on batches that `Tasks` draws.

        theta' = theta - alpha grad L(D_tr; theta)                      for each task, `inner_steps` times
        theta <- theta - beta sum over tasks of grad L(D_val; theta')   the true step, by the optimiser

    All tasks of a batch are computed at once.

    Args:
        module: what is learnt.
        optimiser: over its parameters, with beta as the learning rate.
        loss: of one task.
        tasks: how batches are made up.
        tap: the input that the module reads.
        alpha: the rate of the virtual steps.
        order: "second-order" differentiates through the virtual steps, "first-order" takes their gradients as constant.
        inner_steps: virtual steps.
    """

    def __init__(
        self,
        module: nn.Module,
        optimiser: Optimizer,
        loss: TaskLoss,
        tasks: Tasks,
        tap: str,
        alpha: float,
        order: Order = "second-order",
        inner_steps: int = 1,
    ) -> None:
        self.module, self.optimiser, self.loss, self.tasks, self.tap = module, optimiser, loss, tasks, tap
        self.alpha, self.order, self.inner_steps = alpha, order, inner_steps
        self.optimisers: Mapping[str, Optimizer] = {"main": optimiser}

    def step(self, batch: Batch, at: At) -> dict[str, float]:
        total, losses = total_of({"meta": self.objective(batch)}, at)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        return losses

    def objective(self, batch: Batch) -> Tensor:
        """The sum over tasks of the validation losses after the virtual steps."""
        learnt = {id(p) for group in self.optimiser.param_groups for p in group["params"]}
        weights: Weights = {name: p for name, p in self.module.named_parameters() if id(p) in learnt}
        shots = self.tasks.ways * self.tasks.shots
        x, labels = (v.unflatten(0, (self.tasks.tasks, -1)) for v in (batch.inputs[self.tap], batch.labels))

        def validated(x: Tensor, labels: Tensor) -> Tensor:
            virtual = weights
            for _ in range(self.inner_steps):
                slopes = grad(self.loss)(virtual, x[:shots], labels[:shots])
                if self.order == "first-order":
                    slopes = {name: slope.detach() for name, slope in slopes.items()}
                virtual = {name: weight - self.alpha * slopes[name] for name, weight in virtual.items()}
            return self.loss(virtual, x[shots:], labels[shots:])

        losses: Tensor = vmap(validated)(x, labels)
        return losses.sum()


def own_classes(labels: Tensor, ways: int) -> Tensor:
    """(ways,) the classes of one side of a task, in order, given its labels (ways x images,)."""
    return labels.unflatten(0, (ways, -1))[:, 0]


def own_labels(labels: Tensor, ways: int) -> Tensor:
    """(ways x images,) indices into `own_classes`."""
    return torch.arange(ways, device=labels.device).repeat_interleave(labels.shape[0] // ways)
