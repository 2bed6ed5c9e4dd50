"""Mean squared error of class semantics (MSE), and of their unit vectors (NMSE)."""

from torch import Tensor

from zslpipe.losses.sce import unit


def squared_errors(predicted: Tensor, target: Tensor, normalise: bool = True) -> Tensor:
    """(B, A) squared errors of predicted and target semantics (B, A), of their unit vectors if `normalise`.

    A row of normalised errors sums to 2 - 2 cos(predicted, target); the ReMSE paper prints 2 - cos.
    """
    if normalise:
        predicted, target = unit(predicted), unit(target)
    return (predicted - target).square()


def reduce_errors(errors: Tensor, reduction: str = "sum") -> Tensor:
    """Reduce errors (B, A) to a scalar: the mean over samples of the "sum" or "mean" over attributes.

    Eq. 13 of ReMSE sums over attributes; the released code takes the mean, which is A times smaller.

    Raises:
        ValueError: for another reduction.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction must be 'sum' or 'mean', not '{reduction}'")
    per_sample = errors.sum(-1) if reduction == "sum" else errors.mean(-1)
    return per_sample.mean()


def mse(predicted: Tensor, target: Tensor, reduction: str = "sum") -> Tensor:
    """Squared error of predicted and target semantics (B, A); see `reduce_errors`."""
    return reduce_errors(squared_errors(predicted, target, normalise=False), reduction)


def nmse(predicted: Tensor, target: Tensor, reduction: str = "sum") -> Tensor:
    """Squared error of the unit vectors of predicted and target semantics (B, A); see `reduce_errors`."""
    return reduce_errors(squared_errors(predicted, target), reduction)
