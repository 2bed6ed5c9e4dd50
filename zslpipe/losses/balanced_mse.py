"""Balanced MSE with batch Monte Carlo (Ren et al., CVPR 2022; appendix C, eq. 21 of the ReMSE paper)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from zslpipe.losses.sce import unit


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(B, C) squared Euclidean distances between the rows of x (B, A) and y (C, A), never negative."""
    norms = x.square().sum(1)[:, None] + y.square().sum(1)[None, :]
    return (norms - 2 * x @ y.T).clamp_min(0)


def balanced_mse(
    predicted: Tensor,
    target: Tensor,
    divisor: float | Tensor = 0.02,
    *,
    labels: Tensor | None = None,
    dedupe: bool = False,
    normalise: bool = True,
    times_divisor: bool = False,
) -> Tensor:
    """CE(softmax_j(-|predicted_i - target_j|^2 / divisor), j = i); negatives are the targets of the batch.

    The A-dimensional Gaussian is never formed: up to a constant, its log-density is the squared distance.

    Args:
        predicted, target: (B, A) semantics.
        divisor: the noise. Eq. 21 divides by a "learnable sigma"; the released code divides by 2 sigma^2 with a fixed
            sigma of 0.1. For a learnable noise pass a tensor that requires gradients (`torch.exp` of a parameter keeps
            it positive).
        labels: (B,) classes of the samples, required for `dedupe`.
        dedupe: use every class only once as a target. Otherwise equal targets count as wrong, and with two samples per
            class the loss cannot fall below ln 2 (times the factor).
        normalise: scale predicted and target to unit vectors first.
        times_divisor: multiply the loss by the divisor, as the released code does: with 0.02 that is a fiftieth of
            eq. 21. The factor carries no gradient, as in the implementation of Ren et al.

    Returns:
        The scalar loss.

    Raises:
        ValueError: if `dedupe` is set without labels.
    """
    if normalise:
        predicted, target = unit(predicted), unit(target)
    factor: float | Tensor = 1.0
    if times_divisor:
        factor = divisor.detach() if isinstance(divisor, Tensor) else divisor
    logits = -squared_distances(predicted, target) / divisor
    if not dedupe:
        return factor * F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
    if labels is None:
        raise ValueError("balanced_mse(dedupe=True) requires labels")
    same = labels[:, None] == labels[None, :]
    repeated = same.triu(1).any(0)  # an earlier sample has this target
    first = same.to(torch.uint8).argmax(1)
    return factor * F.cross_entropy(logits.masked_fill(repeated, -torch.inf), first)
