"""ReMSE (Ye et al., TIP 2023): a semantic predictor whose regression is rebalanced over classes and semantics."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from zslpipe.heads.base import register
from zslpipe.heads.semantic_head import SemanticHead
from zslpipe.heads.torch_head import Inputs


class GlobalBranch(nn.Module):
    """Predicted semantics of the global feature: [Linear, LeakyReLU(0.1),] Linear (the paper's "GB")."""

    def __init__(self, width: int, attributes: int, hidden: int = 0) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(width, hidden), nn.LeakyReLU(0.1)] if hidden else []
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or width, attributes))

    def forward(self, inputs: Inputs) -> Tensor:
        predicted: Tensor = self.layers(inputs["global"])  # (B, A)
        return predicted


@register("remse")
@dataclass
class ReMSE(SemanticHead):
    """The global branch, trained with SCE + lambda * ReMSE.

    `hidden`: width of a hidden layer, 0 for a linear predictor.
    """

    hidden: int = 0

    def network(self, sizes: Mapping[str, int]) -> nn.Module:
        return GlobalBranch(sizes["tap.global"], sizes["attributes"], self.hidden)
