"""GNet: the generalization network of BGSNet (Li et al., "Balancing Generalization and Specialization")."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from zslpipe.parts.head import register
from zslpipe.parts.inner_products import InnerProductHead, M
from zslpipe.parts.problem import Problem
from zslpipe.parts.semantic_head import PROBED, TapNet
from zslpipe.parts.settings import Count, Positive, Whole
from zslpipe.parts.task import Inputs, Task
from zslpipe.training import RowBatches, Stage, Stops
from zslpipe.training.meta import MetaLearner, Tasks, Weights, own_classes, own_labels
from zslpipe.training.placed import Placed


class Predictor(TapNet):
    """f_g: predicted semantics (B, A) of global features e_g (B, K); [Linear, ReLU,] Linear."""

    def __init__(self, width: int, attributes: int, hidden: int = 0) -> None:
        super().__init__("global")
        layers: list[nn.Module] = [nn.Linear(width, hidden), nn.ReLU()] if hidden else []
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or width, attributes))

    def forward(self, inputs: Inputs) -> Tensor:
        return self.embed(inputs[self.tap])

    def embed(self, features: Tensor) -> Tensor:
        """(B, A) of features (B, K)."""
        predicted: Tensor = self.layers(self.scale * features)
        return predicted


@dataclass
class MetaHead(InnerProductHead[M]):
    """A head with a predictor that is meta-learnt.

    Of these hyper-parameters the paper states only 10 ways, 5 shots and 3 queries.

    Args:
        meta: differentiate through the virtual step ("second-order", as the paper writes it), take its gradient as
            constant ("first-order"), or train without tasks ("none").
        tasks: in a batch.
        task_ways: classes on each side of a task, at most half of the seen ones.
        task_shots, task_queries: images per class that the virtual step and the true one use.
        task_softmax: over the classes of the "task" or over all "seen" ones; the paper does not say which.
        inner_rate, inner_steps: alpha, and the number of virtual steps.
        meta_rate: beta, the learning rate of the true step.
    """

    meta: Literal["second-order", "first-order", "none"] = "second-order"
    tasks: Count = 4
    task_ways: Count = 10
    task_shots: Count = 5
    task_queries: Count = 3
    task_softmax: Literal["task", "seen"] = "task"
    inner_rate: Positive = 0.01
    inner_steps: Count = 1
    meta_rate: Positive = 1e-4

    def meta_stage(
        self, predictor: Predictor, rows: Placed, labels: Tensor, task: Task, epochs: int, stops: Stops = "every"
    ) -> Stage[Any]:
        """Meta-learning of f_g."""
        assert self.meta != "none"
        numbers = self.tasks, self.task_ways, self.task_shots, self.task_queries
        tasks = Tasks(labels.cpu().numpy(), *numbers, self.seed)
        semantics, ways, own = task.seen_semantics, tasks.ways, self.task_softmax == "task"

        def loss(weights: Weights, features: Tensor, labels: Tensor) -> Tensor:
            classes = semantics[own_classes(labels, ways)] if own else semantics
            predicted: Tensor = functional_call(predictor, weights, ({"global": features},))
            return F.cross_entropy(predicted @ classes.T, own_labels(labels, ways) if own else labels)

        optimiser = self._optimiser(list(predictor.layers.parameters()), self.meta_rate)
        learner = MetaLearner(predictor, optimiser, loss, tasks, "global", self.inner_rate, self.meta, self.inner_steps)
        return Stage("meta", learner, RowBatches(rows, labels, tasks), epochs, stops)


@register("gnet")
@dataclass
class GNet(MetaHead[Predictor]):
    """Predicts semantics a_g = f_g(e_g) from global features; learns from classes, then from tasks.

        L_g = CE of <a_g, phi(c)> over the seen classes c                   stage "base", `base_epochs`
        theta' = theta - alpha grad L(D_tr; theta)                          stage "meta", `epochs`
        theta <- theta - beta sum over tasks of grad L(D_val; theta')

    D_tr and D_val have different classes, so that each task rehearses the step to unseen classes. f_g has one or two
    layers (`hidden`); the paper does not say which. The true step is taken by `optimiser`; "sgd" is the paper's rule.
    With `meta="none"` the stage "base" is the only one and takes `epochs`.
    """

    base_epochs: Count = 20
    epochs: Count = 10
    hidden: Whole = 0

    def build(self, problem: Problem) -> Predictor:
        return Predictor(problem.width("global"), problem.attributes, self.hidden)

    def prepare(self, module: Predictor, rows: Placed, task: Task) -> None:
        set_scale(module, rows)

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        if self.meta == "none":
            yield self.descent("", rows, labels, task, self.epochs)
            return
        yield self.descent("base", rows, labels, task, self.base_epochs, "none")
        yield self.meta_stage(self.module_, rows, labels, task, self.epochs)


def set_scale(net: TapNet, rows: Placed) -> None:
    """Divide the features by their root mean square, so that one learning rate suits every backbone."""
    rms = rows.root_mean_squares(PROBED)[net.tap]
    net.scale.fill_(1 / rms if rms > 0 else 1.0)
