"""GEM-ZSL: goal-oriented gaze estimation (Liu et al., CVPR 2021), on cached regions."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zslpipe.losses import unit
from zslpipe.parts.attention import region_attention, spread
from zslpipe.parts.groups import attribute_groups, group_norms
from zslpipe.parts.head import register
from zslpipe.parts.problem import Attributes, Problem
from zslpipe.parts.region_head import LookingNet, RegionHead
from zslpipe.parts.regression import Loss, Reduction, RegressionTerm
from zslpipe.parts.semantic_head import SemanticModule
from zslpipe.parts.settings import NonNegative
from zslpipe.parts.task import Inputs, Task
from zslpipe.training.placed import Placed


class GazeNet(LookingNet):
    """A linear predictor on pooled regions, and queries with which attributes attend to regions in training."""

    words: Tensor
    groups: Tensor

    def __init__(self, problem: Problem, head: "Gem") -> None:
        super().__init__("region")
        width, attributes, words = problem.width("region"), problem.attributes, problem.words
        self.grid = problem.taps["region"].grid
        self.temperature = width**-0.5 if head.scale_attention else 1.0
        self.register_buffer("words", torch.zeros(attributes, words))
        self.register_buffer("groups", torch.zeros(attributes, dtype=torch.int64))
        self.predictor = nn.Parameter(head.predictor_std * torch.randn(attributes, width))  # V (A, C)
        self.query = nn.Parameter(head.query_std * torch.randn(words, width))  # W (words, C)

    def forward(self, regions: Tensor) -> Tensor:
        """Predicted semantics (B, A) of regions (B, R, C)."""
        return (self.scale * regions.mean(1)) @ self.predictor.T

    def queries(self) -> Tensor:
        """E W (A, C)."""
        return self.words @ self.query

    def attention(self, regions: Tensor) -> Tensor:
        return region_attention(regions, self.temperature * self.scale * self.queries())


@register("gem")
@dataclass
class Gem(RegionHead[SemanticModule[GazeNet]]):
    """Scores scale * cos(V mean_r x_r, semantics); attention maps of the attributes regularise the training.

        L = SCE + lambda_1 L_reg + lambda_2 L_AD + lambda_3 L_CPT

    L_reg regresses the class's semantics: from the maps' peaks, max_r softmax_r <x_r, query_s> (GEM's own, by MSE), or
    from the prediction itself ("global": what the ReMSE authors report as GEM + ReMSE). L_AD is the mean, over groups
    of attributes and over channels, of the norm of the group's queries; groups are read from the names, or from a
    public table for AWA and SUN. L_CPT is the mean of the maps times the squared distance from their peaks. Like the
    released code, this head omits the paper's gaze branch. Cached features are not fine-tuned; the paper fine-tunes the
    backbone.

    Args:
        loss, regression_weight, reduction: L_reg and lambda_1 (released: mean with 1, on SUN 0.5).
        regress: peaks or global.
        decorrelation, compactness: lambda_2 and lambda_3 (released: 0.1 and 0.2).
        normalise_words: scale word vectors to unit length; the released code uses raw sums of word2vec vectors.
        scale_attention: divide logits by sqrt(C), C channels; the released code does not.
        predictor_std, query_std: standard deviations of the initial V and W. The released code has 1 for both: V then
            learns slowly, and every map starts and stays on a single region.

    The defaults of `predictor_std` and `regress` are the best of a few tried on validation classes of 50 birds. On
    frozen features and with `regress="peaks"`, V and the scores do not depend on the other terms.
    """

    loss: Loss = "sce+mse"
    regression_weight: NonNegative = 1.0
    reduction: Reduction = "mean"
    regress: Literal["peaks", "global"] = "peaks"
    decorrelation: NonNegative = 0.1
    compactness: NonNegative = 0.2
    predictor_std: NonNegative = 0.02
    query_std: NonNegative = 0.01
    normalise_words: bool = False
    scale_attention: bool = False

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        self.check_words(attributes)
        return super().choose_taps(available, attributes)

    def build(self, problem: Problem) -> SemanticModule[GazeNet]:
        return SemanticModule(GazeNet(problem, self), RegressionTerm(self, problem.attributes), problem.attributes)

    def prepare(self, module: SemanticModule[GazeNet], rows: Placed, task: Task) -> None:
        super().prepare(module, rows, task)
        module.net.words.copy_(unit(task.words) if self.normalise_words else task.words)
        if task.attributes is not None:
            module.net.groups.copy_(torch.tensor(attribute_groups(task.attributes.names)))

    def terms(self, module: SemanticModule[GazeNet], inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        net = module.net
        queries = net.queries()
        maps = net.attention(inputs["region"])  # (B, R, A)
        predicted = module(inputs)
        losses = self.semantic_terms(
            module, predicted, predicted if self.regress == "global" else maps.amax(1), labels, task
        )
        norms = group_norms(queries.float(), net.groups, int(net.groups.max()) + 1)
        losses["decorrelation"] = self.decorrelation * norms.mean()
        if self.compactness:
            losses["compactness"] = self.compactness * spread(maps, net.grid).mean()
        return losses
