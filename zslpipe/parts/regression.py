"""The regression term of a semantic predictor: its type, hyper-parameters and state."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zslpipe.losses import balanced_mse, mse, nmse, remse
from zslpipe.parts.settings import NonNegative, Positive

Loss = Literal["sce", "sce+mse", "sce+nmse", "sce+balanced-mse", "sce+remse"]
Reduction = Literal["sum", "mean"]


@dataclass
class RegressionSettings:
    """Hyper-parameters of the loss, shared by all heads that predict semantics.

    `reduction`: ReMSE's eq. 13 sums squared errors over semantics, the released code takes their mean, and the
    weights in its configurations belong to the mean (weight 0.25 there is 0.25 / A here with "sum").
    """

    loss: Loss = "sce+remse"
    regression_weight: NonNegative = 0.01  # lambda; 0.003 (on 50 birds) and 0.03 (on CUB) validate best
    alpha_over_classes: NonNegative = 0.1  # ReMSE's exponent of the factor over the classes of an attribute
    beta_over_attributes: NonNegative = 0.75  # ... and over the attributes of a class
    errors: Literal["in_batch", "cross_batch"] = "in_batch"  # ReMSE compares the batch's classes, or all seen so far
    reduction: Reduction = "sum"
    divisor: Positive = 0.02  # Balanced MSE's noise, learnt from there if `learn_divisor`
    learn_divisor: bool = True
    balanced_reading: Literal["paper", "released"] = "paper"  # the released code multiplies by the divisor
    dedupe: bool = False  # Balanced MSE: every class once among the targets


class RegressionTerm(nn.Module):
    """The unweighted regression loss of a batch; its buffer stores past errors, its parameter is the learnt noise."""

    memory: Tensor

    def __init__(self, settings: RegressionSettings, attributes: int) -> None:
        super().__init__()
        self.settings = settings
        self.kind = settings.loss.partition("+")[2]
        self.remembers = self.kind == "remse" and settings.errors == "cross_batch"
        self.register_buffer("memory", torch.zeros(0, attributes), persistent=False)
        if self.kind == "balanced-mse" and settings.learn_divisor:
            self.log_divisor = nn.Parameter(torch.tensor(math.log(settings.divisor)))

    def remember(self, classes: int) -> None:
        """Allocate memory for the last errors of this many classes, if the loss uses it."""
        if self.remembers:
            self.register_buffer("memory", self.memory.new_zeros(classes, self.memory.shape[1]), persistent=True)

    def forward(self, predicted: Tensor, target: Tensor, labels: Tensor) -> Tensor:
        """For predicted and target semantics (B, A) of samples with labels (B,); zero for plain SCE."""
        s = self.settings
        if self.kind == "mse":
            return mse(predicted, target, s.reduction)
        if self.kind == "nmse":
            return nmse(predicted, target, s.reduction)
        if self.kind == "balanced-mse":
            divisor = self.log_divisor.exp() if s.learn_divisor else s.divisor
            released = s.balanced_reading == "released"
            return balanced_mse(predicted, target, divisor, labels=labels, dedupe=s.dedupe, times_divisor=released)
        if self.kind == "remse":
            memory = self.memory if self.remembers else None
            exponents = s.alpha_over_classes, s.beta_over_attributes
            value, after = remse(predicted, target, labels, *exponents, memory=memory, reduction=s.reduction)
            if after is not None:
                self.memory.copy_(after)
            return value
        return predicted.new_zeros(())
