"""The two stages in which the embedding networks of SC-EGG are trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Adam, Optimizer, RMSprop

from zslpipe.errors import InputError
from zslpipe.losses import unit
from zslpipe.parts.own_learner import Cast
from zslpipe.parts.problem import Attributes
from zslpipe.parts.semantic_compression import EmbeddingNet, Reading
from zslpipe.parts.settings import NonNegative, Whole
from zslpipe.parts.task import Task
from zslpipe.progress import track
from zslpipe.training import At, Batch, ClassBalanced, Descent, RowBatches, Sampler, Shuffled, Stage
from zslpipe.training.placed import Placed

ROWS = 256  # images compressed at a time


@dataclass
class EmbeddingSettings:
    """Settings of the embedding networks.

    Args:
        reading: paper, or released: see `EmbeddingNet`. The released code also takes its cross-entropies over seen
            classes only, RMSprop, class-balanced batches, and the mean instead of the sum over classes in L_SCR.
        local_weight, global_weight: of the cross-entropies L_LCE and L_GCE.
        correspondence_weight: of L_SCR; 0 leaves the stage out.
        correspondence_epochs: of the second stage.
    """

    reading: Reading = "paper"
    local_weight: NonNegative = 1.0
    global_weight: NonNegative = 1.0
    correspondence_weight: NonNegative = 1.0
    correspondence_epochs: Whole = 20

    def need_words(self, name: str, attributes: Attributes | None) -> None:
        """Raise `InputError` unless there are word vectors."""
        if attributes is None or attributes.vectors is None:
            raise InputError(
                f"{name} needs word vectors of the attributes, but this benchmark has none: "
                "add them to the dataset or use another head."
            )


@dataclass(frozen=True)
class EmbeddingTraining:
    """What both stages need.

    Args:
        net: is trained.
        settings: of its losses.
        rows, labels, task: as in `TorchHead.stages`.
        batch, learning_rate, seed: of both stages.
        cast: context of the forward passes.
    """

    net: EmbeddingNet
    settings: EmbeddingSettings
    rows: Placed
    labels: Tensor
    task: Task
    batch: int
    learning_rate: float
    seed: int
    cast: Cast

    def stages(self, epochs: int, stops: Literal["every", "none"]) -> Iterator[Stage[Any]]:
        """Stage "embedding" with L_LCE and L_GCE, then "correspondence" with L_SCR, at which selection never stops."""
        net = self.net
        optimiser = self.optimiser(net.words, net.alpha, net.beta, *modules(net.compression, net.classifier))
        yield Stage("embedding", Descent(net, optimiser, self.embedding), self.batches(), epochs, stops)
        of = self.settings
        if not (of.correspondence_weight and of.correspondence_epochs):
            return
        if net.distilled is not None:
            net.fit_scale(self.dense())
        tuned = modules(net.compression, net.classifier) if net.distilled is None else modules(net.distilled)
        learner = Descent(net, self.optimiser(*tuned), self.correspondence)
        yield Stage("correspondence", learner, self.batches(), of.correspondence_epochs, "none")

    def embedding(self, batch: Batch, _: At) -> dict[str, Tensor]:
        """L_LCE + L_GCE: over all classes in the paper (eq. 6 and 7), over the seen ones in the released code."""
        net, of, task = self.net, self.settings, self.task
        with self.cast():
            regions = net.unit(batch.inputs["region"])
            local, attention = net.local(regions)
            p_l = local @ unit(task.semantics).T
            p_g = net.classifier(net.compression(regions, attention))
        truth = task.seen[batch.labels]
        if of.reading == "released":
            p_l, p_g, truth = p_l[:, task.seen], p_g[:, task.seen], batch.labels
        return {
            "local": of.local_weight * cross_entropy(p_l.float(), truth),
            "global": of.global_weight * cross_entropy(p_g.float(), truth),
        }

    def correspondence(self, batch: Batch, _: At) -> dict[str, Tensor]:
        """L_SCR = |p_g - p_l|^2 with p_l fixed: global scores learn what local ones say of all classes."""
        net = self.net
        with self.cast():
            with torch.no_grad():
                regions = net.unit(batch.inputs["region"])
                local, attention = net.local(regions)
                p_l = local @ unit(self.task.semantics).T
            p_g = net.global_scores(net.compressed(regions, attention))
        error = mse_loss(p_g.float(), p_l.float())
        classes = 1 if self.settings.reading == "released" else p_l.shape[1]
        return {"correspondence": self.settings.correspondence_weight * classes * error}

    def dense(self) -> Tensor:
        """g (N, D) of all training images, computed once."""
        parts = np.array_split(np.arange(len(self.rows)), -(-len(self.rows) // ROWS))
        with torch.no_grad():
            return torch.cat([self.net.dense(self.rows[part]["region"]) for part in track(parts, "computing g")])

    def batches(self) -> RowBatches:
        sampler: Sampler = Shuffled(len(self.labels), self.batch, self.seed)
        if self.settings.reading == "released":
            sampler = ClassBalanced(self.labels.cpu().numpy(), self.batch, self.seed)
        return RowBatches(self.rows, self.labels, sampler)

    def optimiser(self, *parameters: Tensor) -> Optimizer:
        if self.settings.reading == "released":
            return RMSprop(parameters, self.learning_rate, weight_decay=1e-4, momentum=0.9)
        return Adam(parameters, self.learning_rate, fused=True)


def modules(*parts: torch.nn.Module) -> list[Tensor]:
    """All parameters of several modules."""
    return [p for part in parts for p in part.parameters()]
