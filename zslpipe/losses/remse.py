"""ReMSE: squared error re-weighted towards the classes and semantics that are regressed worst (Ye et al., TIP 2023).

The mean error matrix M (classes x semantics) of a batch gives every entry the weight

    W_lj = (1 + ln(M_lj / min_c M_cj))^alpha * (1 + ln(M_lj / min_k M_lk))^beta         (eq. 11 and 12)

where the first minimum runs over the classes of one semantic and the second over the semantics of one class. The
paper's prose calls both "class-level" in one place or another, so arguments are named by the axis they work along.
Minima see positive errors only; a zero error, like a class that is absent from the batch, has weight one.
"""

import torch
from torch import Tensor

from zslpipe.losses.mse import reduce_errors, squared_errors


def class_mean_errors(errors: Tensor, labels: Tensor) -> Tensor:
    """Row i: the mean over the samples of i's class in the batch, of errors (B, A); so samples of a class share rows.

    A row a sample instead of a row a class: absent classes need no rows, and minima over rows are those over classes.
    """
    same = (labels[:, None] == labels[None, :]).to(errors.dtype)  # (B, B)
    return (same / same.sum(1, keepdim=True)) @ errors


def error_weights(mean_errors: Tensor, alpha_over_classes: float, beta_over_attributes: float) -> Tensor:
    """Weights >= 1 of a mean error matrix (classes, A), rows in any order, repeated or not (eq. 11 and 12)."""
    positive = mean_errors > 0
    known = torch.where(positive, mean_errors, torch.inf)
    log = torch.where(positive, mean_errors, 1.0).log()
    weights = torch.ones_like(mean_errors)
    for axis, exponent in ((0, alpha_over_classes), (1, beta_over_attributes)):
        if exponent:
            ratio = log - known.amin(axis, keepdim=True).log()  # ln(M / min) >= 0 wherever M > 0
            weights = weights * (1 + ratio).pow(exponent)
    return torch.where(positive, weights, 1.0)


def reweight(
    errors: Tensor,
    labels: Tensor,
    alpha_over_classes: float,
    beta_over_attributes: float,
    memory: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Errors (B, A) times their weights, which carry no gradient; and the memory as it is after this batch.

    Args:
        errors: (B, A) squared errors.
        labels: (B,) classes of the samples.
        alpha_over_classes: exponent of the factor over the classes of one semantic.
        beta_over_attributes: exponent of the factor over the semantics of one class.
        memory: (C, A) the last mean errors of every class, zero where none was met yet: the minima then run over
            all classes met so far ("cross-batch"), instead of those of this batch ("in-batch", None). Not changed.
    """
    with torch.no_grad():
        means = class_mean_errors(errors.detach(), labels)
        if memory is None:
            weights = error_weights(means, alpha_over_classes, beta_over_attributes)
        else:
            memory = memory.index_copy(0, labels, means.to(memory.dtype))
            weights = error_weights(memory, alpha_over_classes, beta_over_attributes)[labels].to(errors.dtype)
    return weights * errors, memory


def remse(
    predicted: Tensor,
    target: Tensor,
    labels: Tensor,
    alpha_over_classes: float,
    beta_over_attributes: float,
    *,
    memory: Tensor | None = None,
    normalise: bool = True,
    reduction: str = "sum",
) -> tuple[Tensor, Tensor | None]:
    """ReMSE (eq. 13) of predicted and target semantics (B, A), and the memory for the next batch.

    With both exponents zero it is NMSE (`normalise`) or MSE. The other arguments are those of `reweight` and of
    `reduce_errors`.
    """
    errors = squared_errors(predicted, target, normalise)
    errors, memory = reweight(errors, labels, alpha_over_classes, beta_over_attributes, memory)
    return reduce_errors(errors, reduction), memory
