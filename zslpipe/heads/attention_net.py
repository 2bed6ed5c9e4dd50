"""AttentionNet: attributes query regions, alongside a global branch (Ye et al., TIP 2023, section IV-D)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from zslpipe.errors import InputError
from zslpipe.losses import unit
from zslpipe.parts.attention import attend, region_attention
from zslpipe.parts.head import register
from zslpipe.parts.problem import Attributes, Problem
from zslpipe.parts.region_head import LookingNet, RegionHead
from zslpipe.parts.regression import RegressionTerm
from zslpipe.parts.semantic_head import SemanticModule, TapNet
from zslpipe.parts.settings import Count, NonNegative, Whole
from zslpipe.parts.task import Inputs, Task
from zslpipe.training.placed import Placed


class GlobalBranch(TapNet):
    """Predicted semantics of the whole image: [Linear, LeakyReLU(0.1),] Linear (the paper's "GB")."""

    def __init__(self, tap: str, width: int, attributes: int, hidden: int = 0) -> None:
        super().__init__(tap)
        layers: list[nn.Module] = [nn.Linear(width, hidden), nn.LeakyReLU(0.1)] if hidden else []
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or width, attributes))

    def forward(self, features: Tensor) -> Tensor:
        """(B, A) from global features (B, C), or from the mean of regions (B, R, C)."""
        pooled = features.mean(1) if features.ndim == 3 else features
        predicted: Tensor = self.layers(self.scale * pooled)
        return predicted


class CrossAttention(LookingNet):
    """Cross-modal attention and semantic-specific fusion, folded.

    With word vectors E (A, W) and regions X (R, C) of an image the paper computes

        Q = E W_q^T + b_q,  K = X W_k^T + b_k,  V = X W_v^T + b_v     query, key, value of width M
        a_s = softmax(Q_s K^T) V        attended value of attribute s; optionally softmax(Q_s K^T / sqrt(M))
        f_s = mean_r x_r + ratio (W_o a_s + b_o)                      semantic-specific fusion (C,)
        s^_s = <W_h f_s + b_h, P_s>                                   prediction; W_h only with a hidden layer

    From the softmax to the prediction everything is linear, and b_k shifts the logits of all regions equally, so

        attention = softmax(X T^T),  T = Q W_k (A, C)
        s^ = sum_r attention * (X U^T) + <mean_r x_r, P'> + c,  U = ratio P' W_o W_v,  P' = P W_h

    with c = ratio P' (W_o b_v + b_o) + P b_h: the same parameters and the same gradients (that of b_k is zero), but
    no batch x attributes x channels tensor. Without the global branch there is no mean term and ratio is 1.
    """

    words: Tensor

    def __init__(self, problem: Problem, head: "AttentionNet") -> None:
        super().__init__("region")
        width, attributes, words = problem.width("region"), problem.attributes, problem.words
        self.fused = head.branch == "fused"
        self.ratio = head.ratio if self.fused else 1.0
        self.temperature = head.width**-0.5 if head.scale_attention else 1.0
        self.class_token = head.class_token
        self.register_buffer("words", torch.zeros(attributes, words))
        self.query = nn.Linear(words, head.width)
        self.key = nn.Linear(width, head.width)
        self.value = nn.Linear(width, head.width)
        self.out = nn.Linear(head.width, width)
        self.hidden = nn.Linear(width, head.hidden) if head.hidden else None
        self.prototypes = nn.Parameter(head.prototype_std * torch.randn(attributes, head.hidden or width))  # P

    def read(self, inputs: Inputs) -> Tensor:
        """Regions (B, R, C), the class token before the others if it is wanted."""
        regions = super().read(inputs)
        return torch.cat([inputs["global"][:, None], regions], 1) if self.class_token else regions

    def forward(self, regions: Tensor) -> Tensor:
        """Predicted semantics (B, A) of regions (B, R, C)."""
        prototypes = self.prototypes if self.hidden is None else self.prototypes @ self.hidden.weight  # P'
        through_out = prototypes @ self.out.weight  # (A, M)
        # Scalars multiply the smallest factor: a pass over (A, C) is costly.
        readout = (self.ratio * self.scale * through_out) @ self.value.weight  # U
        predicted, _ = attend(regions, self.queries(), readout)
        predicted = predicted + self.ratio * (through_out @ self.value.bias + prototypes @ self.out.bias)
        if self.hidden is not None:
            predicted = predicted + self.prototypes @ self.hidden.bias
        return predicted + (self.scale * regions.mean(1)) @ prototypes.T if self.fused else predicted

    def queries(self) -> Tensor:
        """T (A, C): the attributes' queries, in the space of the stored regions."""
        projected: Tensor = (self.temperature * self.scale * self.query(self.words)) @ self.key.weight
        return projected

    def attention(self, regions: Tensor) -> Tensor:
        """(B, R, A) attention of each attribute; sums to one over the regions."""
        return region_attention(regions, self.queries())


@register("attention-net")
@dataclass
class AttentionNet(RegionHead[SemanticModule[TapNet]]):
    """Predicts each attribute from regions and from the whole image; trained with SCE and a regression.

    The defaults of `width`, `ratio` and `prototype_std` were chosen on validation classes of 50 birds: on frozen
    features those of the released code (1024, 1 and 1, as in the recipes) score five points of H lower in validation.
    A large initial P learns slowly, since the gradient of a cosine shrinks with the norm.

    Args:
        branch: fused (both), attention ("AB" in the paper's tables) or global ("GB").
        width: M of query, key and value (the released code: 1024; 300 on AWA2).
        hidden: width of the linear layer before the prediction (released: none; 4096 on AWA2), 0 for none; in the
            global branch a LeakyReLU follows it.
        ratio: weight of the attended part in the fusion (released: 1).
        prototype_std: standard deviation of the initial P (released: 1).
        normalise_words: scale word vectors to unit length; the paper uses raw sums of word2vec vectors.
        scale_attention: divide logits by sqrt(M), as transformers do; the paper and its code do not. With neither of
            the two, as in the recipes, the maps are very peaked, and validation is clearly worse (docs/results.md).
        class_token: take the global features for one more region, as the paper does with a ViT, whose class token they
            are: it is attended to, and it enters the mean. The global branch reads only the class token.
    """

    implied: ClassVar = {"normalise_words": False, "scale_attention": False}

    branch: Literal["fused", "attention", "global"] = "fused"
    width: Count = 300
    hidden: Whole = 0
    ratio: NonNegative = 0.3
    prototype_std: NonNegative = 0.02
    normalise_words: bool = True
    scale_attention: bool = True
    class_token: bool = False

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        if self.branch == "global" and "global" in available:
            return ("global",)
        if self.branch != "global":
            self.check_words(attributes)
        taps = super().choose_taps(available, attributes)
        if not self.class_token or self.branch == "global":
            return taps
        if "global" not in available:
            raise InputError("the class token is the tap 'global': extract with --taps global,region.")
        return (*taps, "global")

    def build(self, problem: Problem) -> SemanticModule[TapNet]:
        attributes = problem.attributes
        if len({problem.width(tap) for tap in problem.taps}) > 1:
            raise InputError("global features of another width than the regions are no class token.")
        net: TapNet
        if self.branch == "global" or "region" not in problem.taps:
            tap = "global" if "global" in problem.taps else "region"
            net = GlobalBranch(tap, problem.width(tap), attributes, self.hidden)
        else:
            net = CrossAttention(problem, self)
        return SemanticModule(net, RegressionTerm(self, attributes), attributes)

    def prepare(self, module: SemanticModule[TapNet], rows: Placed, task: Task) -> None:
        super().prepare(module, rows, task)
        if isinstance(module.net, CrossAttention):
            module.net.words.copy_(unit(task.words) if self.normalise_words else task.words)
