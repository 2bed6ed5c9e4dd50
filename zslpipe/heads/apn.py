"""APN: the attribute prototype network (Xu et al., NeurIPS 2020), on cached regions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.parts.attention import spread
from zslpipe.parts.groups import attribute_groups, group_norms
from zslpipe.parts.head import register
from zslpipe.parts.problem import Problem
from zslpipe.parts.region_head import LookingNet, RegionHead
from zslpipe.parts.regression import Loss, Reduction, RegressionTerm
from zslpipe.parts.semantic_head import SemanticModule
from zslpipe.parts.settings import NonNegative, Positive
from zslpipe.parts.task import Inputs, Task
from zslpipe.store.rows import Features
from zslpipe.training.placed import Placed


class PrototypeNet(LookingNet):
    """Two banks of vectors (A, C), 1x1 convolutions over regions: one predicts semantics, one localises attributes."""

    groups: Tensor

    def __init__(self, problem: Problem, head: "Apn") -> None:
        super().__init__("region")
        width, attributes, self.grid = problem.width("region"), problem.attributes, problem.taps["region"].grid
        self.pool = head.pool
        self.register_buffer("groups", torch.zeros(attributes, dtype=torch.int64))
        self.embedding = nn.Parameter(head.initial * torch.rand(attributes, width))
        self.prototypes = nn.Parameter(head.initial * torch.rand(attributes, width))

    def forward(self, regions: Tensor) -> Tensor:
        """Predicted semantics (B, A) of regions (B, R, C)."""
        if self.pool == "mean":
            return (self.scale * regions.mean(1)) @ self.embedding.T
        return (regions @ (self.scale * self.embedding).T).amax(1)

    def maps(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted semantics (B, A), and the similarity (B, R, A) of each region to each prototype."""
        if self.pool == "mean":
            return self(regions), regions @ (self.scale * self.prototypes).T
        both = regions @ (self.scale * torch.cat([self.embedding, self.prototypes])).T  # one product for both banks
        predicted, local = both.split(len(self.embedding), -1)
        return predicted.amax(1), local

    def attention(self, regions: Tensor) -> Tensor:
        """Similarities to the prototypes, normalised over the regions."""
        return (regions @ (self.scale * self.prototypes).T).float().softmax(1)


class PrototypeModule(SemanticModule[PrototypeNet]):
    """One regression term per bank, since each keeps its own errors."""

    def __init__(self, net: PrototypeNet, regression: RegressionTerm, local: RegressionTerm, attributes: int) -> None:
        super().__init__(net, regression, attributes)
        self.local_regression = local


@register("apn")
@dataclass
class Apn(RegionHead[PrototypeModule]):
    """Scores <pool_r E x_r, semantics>; attribute prototypes matched to regions regularise the training.

        L = L_CLS(E) + l_reg L_reg(E) + l_local L_CLS(P) + l_local_reg L_reg(P) + l_AD norms(E), norms(P) + l_CPT L_CPT

    E and P (A, C) are the two banks; P predicts from the best region of each attribute. L_CLS is the cross-entropy of
    inner products with the seen classes' semantics, L_reg regresses the semantics of the true class, norms are over
    groups of attributes, L_CPT is the sum of sigmoid(map) times the squared distance from its
    peak. Cached features are not fine-tuned; the paper first fine-tunes the backbone on the seen classes.

    The defaults of `scale` and `pool` are the best of a few tried on validation classes of 50 birds.

    Args:
        scale: of the inner products; the paper has none.
        pool: pooling of the predictions over regions: max (the paper's on CUB) or mean (on SUN and AWA2).
        loss, regression_weight, local_regression_weight, reduction: L_reg, for both banks.
        local_weight: weight of the prototypes' classification loss.
        embedding_norms, prototype_norms: weights of the group norms.
        compactness: weight of L_CPT.
        reading: the "paper" takes norms of a group channel by channel and applies one softmax; the "released" code
            takes the norm of the complete block, and feeds softmax outputs to a cross-entropy with its own softmax.
        groups: "parts" of the body where the names have them (CUB; the paper's), else as for "names": what stands
            before the colon of the names, or a public table for AWA and SUN. The released code counts the belly twice.
        initial: the banks are initialised uniformly in [0, initial).
    """

    only_in_training = ("regression.", "local_regression.")

    loss: Loss = "sce+mse"
    regression_weight: NonNegative = 0.01
    reduction: Reduction = "mean"
    centre_semantics: bool = False
    scale: Positive = 1.0
    pool: Literal["max", "mean"] = "mean"
    local_weight: NonNegative = 1.0
    local_regression_weight: NonNegative = 0.1
    embedding_norms: NonNegative = 5e-6
    prototype_norms: NonNegative = 5e-6
    compactness: NonNegative = 1e-9
    reading: Literal["paper", "released"] = "paper"
    groups: Literal["parts", "names"] = "parts"
    initial: NonNegative = 2e-4

    def build(self, problem: Problem) -> PrototypeModule:
        terms = RegressionTerm(self, problem.attributes), RegressionTerm(self, problem.attributes)
        return PrototypeModule(PrototypeNet(problem, self), *terms, problem.attributes)

    def prepare(self, module: PrototypeModule, rows: Placed, task: Task) -> None:
        super().prepare(module, rows, task)
        module.local_regression.remember(len(task.seen))
        if task.attributes is not None:
            groups = attribute_groups(task.attributes.names, parts=self.groups == "parts")
            module.net.groups.copy_(torch.tensor(groups))

    def terms(self, module: PrototypeModule, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        net = module.net
        predicted, maps = net.maps(inputs["region"])
        predicted, local = predicted.float(), maps.amax(1).float()
        semantics = task.seen_semantics - module.semantic_centre
        losses = {
            "sce": self._classify(predicted, semantics, labels),
            "local sce": self.local_weight * self._classify(local, semantics, labels),
        }
        if kind := module.regression.kind:
            target = semantics[labels]
            losses[kind] = self.regression_weight * module.regression(predicted, target, labels)
            losses[f"local {kind}"] = self.local_regression_weight * module.local_regression(local, target, labels)
        count, by_channel = int(net.groups.max()) + 1, self.reading == "paper"
        for name, weight, bank in (
            ("embedding norms", self.embedding_norms, net.embedding),
            ("prototype norms", self.prototype_norms, net.prototypes),
        ):
            losses[name] = weight * group_norms(bank, net.groups, count, by_channel).sum()
        if self.compactness:
            losses["compactness"] = self.compactness * spread(maps.float().sigmoid(), net.grid).sum()
        return losses

    def _classify(self, predicted: Tensor, semantics: Tensor, labels: Tensor) -> Tensor:
        scores = self.scale * predicted @ semantics.T
        return F.cross_entropy(scores.softmax(1) if self.reading == "released" else scores, labels)

    def scores(self, module: PrototypeModule, inputs: Inputs, encoded: Tensor) -> Tensor:
        return self.scale * module(inputs) @ encoded.T

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        targets = self.semantic_targets(self.check_semantics(semantics))
        return np.asarray(self.scale * self.predict_semantics(features)[:, None] * targets)
