"""ReMSE (Ye et al., TIP 2023): AttentionNet, whose regression is rebalanced over classes and semantics."""

import warnings
from collections.abc import Collection
from dataclasses import dataclass

from torch import nn

from zslpipe.heads.attention_net import AttentionNet
from zslpipe.parts.head import Attributes, register
from zslpipe.parts.placed import Placed
from zslpipe.parts.torch_head import Task


@register("remse")
@dataclass
class ReMSE(AttentionNet):
    """The paper's full model: AttentionNet trained with SCE + lambda * ReMSE.

    On a store without regions, or for semantics without word vectors, it is the global branch, and warns.
    """

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        has_words = attributes is not None and attributes.vectors is not None
        if self.branch != "global" and not (has_words and "region" in available) and "global" in available:
            return ("global",)
        return super().choose_taps(available, attributes)

    def prepare(self, module: nn.Module, features: Placed, task: Task) -> None:
        super().prepare(module, features, task)
        if self.branch != "global" and "region" not in features.taps:
            has_words = task.attributes is not None and task.attributes.vectors is not None
            lacking = "region features" if has_words else "word vectors of the attributes"
            warnings.warn(f"remse trains its global branch alone: there are no {lacking}.", stacklevel=2)
