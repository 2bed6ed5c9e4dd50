"""ReMSE: squared error with larger weights for classes and attributes with larger errors (Ye et al., TIP 2023).

Each entry is weighted according to the mean error matrix M (classes x attributes) of the batch:

    W_lj = (1 + ln(M_lj / min_c M_cj))^alpha * (1 + ln(M_lj / min_k M_lk))^beta         (eq. 11 and 12)

The first minimum is over the classes of one attribute, the second over the attributes of one class. The text of the
paper calls both "class-level" in different places, so the arguments here are named by the axis they work along. Minima
ignore zero errors; entries with zero error, and classes that are absent from the batch, have weight one.
"""

import torch
from torch import Tensor

from zslpipe.losses.mse import reduce_errors, squared_errors


def class_mean_errors(errors: Tensor, labels: Tensor) -> Tensor:
    """(B, A) mean of the errors (B, A) over all samples of the batch with the same class.

    One row per sample rather than per class: minima over rows and over classes are equal, and absent classes need no
    rows.
    """
    same = (labels[:, None] == labels[None, :]).to(errors.dtype)  # (B, B)
    return (same / same.sum(1, keepdim=True)) @ errors


def error_weights(mean_errors: Tensor, alpha_over_classes: float, beta_over_attributes: float) -> Tensor:
    """Weights >= 1 of a mean error matrix (classes, A), eq. 11 and 12; rows may be repeated and in any order."""
    positive = mean_errors > 0
    known = torch.where(positive, mean_errors, torch.inf)
    log = torch.where(positive, mean_errors, 1.0).log()
    weights = torch.ones_like(mean_errors)
    for axis, exponent in ((0, alpha_over_classes), (1, beta_over_attributes)):
        if exponent:
            ratio = log - known.amin(axis, keepdim=True).log()  # ln(M / min) >= 0 if M > 0
            weights = weights * (1 + ratio).pow(exponent)
    return torch.where(positive, weights, 1.0)


def reweight(
    errors: Tensor,
    labels: Tensor,
    alpha_over_classes: float,
    beta_over_attributes: float,
    memory: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Multiply errors by their weights, which carry no gradient.

    Args:
        errors: (B, A) squared errors.
        labels: (B,) classes of the samples.
        alpha_over_classes: exponent of the factor over the classes of one attribute.
        beta_over_attributes: exponent of the factor over the attributes of one class.
        memory: (C, A) the last mean errors of every class, zero for classes not seen yet; not modified. With a memory,
            minima are over all classes seen so far ("cross-batch"), without over those of the batch ("in-batch").

    Returns:
        The weighted errors (B, A), and the memory after this batch.
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

    If both exponents are zero, it equals NMSE (with `normalise`) or MSE. For the other arguments see `reweight` and
    `reduce_errors`.
    """
    errors = squared_errors(predicted, target, normalise)
    errors, memory = reweight(errors, labels, alpha_over_classes, beta_over_attributes, memory)
    return reduce_errors(errors, reduction), memory
