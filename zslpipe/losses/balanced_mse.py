"""Balanced MSE by batch Monte-Carlo (Ren et al., CVPR 2022; ReMSE's App. C, eq. 21)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from zslpipe.losses.sce import unit


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(B, C) squared Euclidean distances of the rows of x (B, A) and y (C, A), never negative."""
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
) -> Tensor:
    """divisor * CE(softmax_j(-|predicted_i - target_j|^2 / divisor), j = i): the batch's targets are the negatives.

    Args:
        predicted, target: (B, A) semantics, by default taken as unit vectors.
        divisor: the noise. Eq. 21 divides by its "learnable sigma"; the released code divides by 2 sigma^2 with a
            sigma that stays 0.1, hence the default. Given a tensor that asks for gradients (`torch.exp` of a
            parameter keeps it positive), the noise is learnt; the leading factor carries no gradient, as in the
            reference implementation of Ren et al.
        labels: (B,) classes of the samples, for `dedupe`.
        dedupe: let every class stand once among the targets. With two samples a class the loss else has a floor
            of divisor * ln 2, at which equal targets count as wrong.

    The Gaussian of A dimensions is never formed: up to a constant its log-density is the squared distance.
    """
    if normalise:
        predicted, target = unit(predicted), unit(target)
    factor = divisor.detach() if isinstance(divisor, Tensor) else divisor
    logits = -squared_distances(predicted, target) / divisor
    if not dedupe:
        return factor * F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
    if labels is None:
        raise ValueError("balanced_mse needs labels to tell equal targets apart")
    same = labels[:, None] == labels[None, :]
    repeated = same.triu(1).any(0)  # an earlier sample has this target
    first = same.to(torch.uint8).argmax(1)
    return factor * F.cross_entropy(logits.masked_fill(repeated, -torch.inf), first)
