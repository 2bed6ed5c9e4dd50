"""The loss of a conditional variational autoencoder: reconstruction and KL divergence."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from zslpipe.losses.mse import squared_errors


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)) of latent vectors (B, Z), averaged over the batch."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()


def bernoulli_reconstruction(made: Tensor, real: Tensor) -> Tensor:
    """Binary cross-entropy of made features (B, D) in [0, 1], summed over features and averaged over the batch.

    Targets outside of [0, 1] are clipped; TF-VAEGAN scales its features so that none are.
    """
    with torch.autocast(made.device.type, enabled=False):  # autocast refuses this function
        return binary_cross_entropy(made.float(), real.float().clamp(0, 1), reduction="sum") / len(made)


def gaussian_reconstruction(made: Tensor, real: Tensor) -> Tensor:
    """|made - real|^2 / 2 of features (B, D), averaged over the batch: -log N(real; made, I) but for a constant."""
    return 0.5 * squared_errors(made.float(), real.float(), False).sum(1).mean()


def l1_reconstruction(made: Tensor, target: Tensor) -> Tensor:
    """Absolute error of semantics (B, A), summed over attributes and averaged over the batch."""
    return (made.float() - target).abs().sum(1).mean()


def cubic_reconstruction(made: Tensor, target: Tensor) -> Tensor:
    """sum_j |d_j|^3 / |d| with d = made - target (B, A), averaged over the batch: the released "WeightedL1".

    It is the l1 error weighted by d^2 / |d|; the gradient passes through the weight. A row without error has no loss.
    """
    errors = squared_errors(made.float(), target, False)  # d^2
    length = errors.sum(1).clamp(min=1e-24).sqrt()
    return ((made.float() - target).abs() * errors).sum(1).div(length).mean()
