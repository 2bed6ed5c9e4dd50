"""Regression of class semantics: squared error as it is, and of unit vectors (NMSE)."""

from torch import Tensor

from zslpipe.losses.sce import unit


def squared_errors(predicted: Tensor, target: Tensor, normalise: bool = True) -> Tensor:
    """(B, A) squared errors of predicted and target semantics (B, A), by default of their unit vectors.

    A row of the normalised errors sums to 2 - 2 cos(predicted, target) (the ReMSE paper prints 2 - cos).
    """
    if normalise:
        predicted, target = unit(predicted), unit(target)
    return (predicted - target).square()


def reduce_errors(errors: Tensor, reduction: str = "sum") -> Tensor:
    """Errors (B, A) to a scalar: the mean over samples of the "sum" or the "mean" over semantics.

    ReMSE's eq. 13 sums over semantics; the released code takes the mean, which is A times smaller.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction over semantics is 'sum' or 'mean', not '{reduction}'")
    per_sample = errors.sum(-1) if reduction == "sum" else errors.mean(-1)
    return per_sample.mean()


def mse(predicted: Tensor, target: Tensor, reduction: str = "sum") -> Tensor:
    """Squared error of predicted and target semantics (B, A)."""
    return reduce_errors(squared_errors(predicted, target, normalise=False), reduction)


def nmse(predicted: Tensor, target: Tensor, reduction: str = "sum") -> Tensor:
    """Squared error of the unit vectors of predicted and target semantics (B, A)."""
    return reduce_errors(squared_errors(predicted, target), reduction)
