"""ReMSE: AttentionNet with a rebalanced regression (Ye et al., "Rebalanced Zero-Shot Learning", TIP 2023)."""

import warnings
from collections.abc import Collection
from dataclasses import dataclass

from zslpipe.heads.attention_net import AttentionNet
from zslpipe.parts.head import register
from zslpipe.parts.problem import Attributes
from zslpipe.parts.semantic_head import SemanticModule, TapNet
from zslpipe.parts.task import Task
from zslpipe.training.placed import Placed


@register("remse")
@dataclass
class ReMSE(AttentionNet):
    """The paper's full model: AttentionNet trained with SCE + lambda * ReMSE.

    For a batch of B images with predicted semantics T^ (B, A) and those of their classes T (B, A), rows of unit length:

        L = L_SCE + lambda L_ReMSE
        L_SCE    cross-entropy of scale * cos(t^_i, t_c) over the seen classes c
        L_ReMSE  = mean_i sum_j W_ij (t^_ij - t_ij)^2                                             (eq. 13)
        W_lj     = (1 + ln(M_lj / min_c M_cj))^alpha (1 + ln(M_lj / min_k M_lk))^beta >= 1        (eq. 11 and 12)

    M (classes, A) holds the mean squared errors of the batch's classes and W has no gradient: classes and semantics
    that are predicted worse than the best get larger weights, and nothing else changes.
    `alpha_over_classes` and `beta_over_attributes` are alpha and beta, `regression_weight` is lambda (see
    `RegressionSettings`). For the prediction of T^ see AttentionNet, for the loss `zslpipe.losses.remse`.

    Without regions in the store, or without word vectors of the attributes, it trains only its global branch and warns.
    """

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        has_words = attributes is not None and attributes.vectors is not None
        if self.branch != "global" and not (has_words and "region" in available) and "global" in available:
            return ("global",)
        return super().choose_taps(available, attributes)

    def prepare(self, module: SemanticModule[TapNet], rows: Placed, task: Task) -> None:
        super().prepare(module, rows, task)
        if self.branch != "global" and "region" not in self.problem_.taps:
            missing = "region features" if self.problem_.words else "word vectors of the attributes"
            warnings.warn(f"remse trains its global branch only: there are no {missing}.", stacklevel=2)
