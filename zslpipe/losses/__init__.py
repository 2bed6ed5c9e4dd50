"""Loss functions: pure functions of tensors."""

from zslpipe.losses.balanced_mse import balanced_mse
from zslpipe.losses.diversity import diversity
from zslpipe.losses.mse import mse, nmse
from zslpipe.losses.remse import remse
from zslpipe.losses.sce import cosine_scores, sce, unit
from zslpipe.losses.vae import (
    bernoulli_reconstruction,
    cubic_reconstruction,
    gaussian_reconstruction,
    kl_divergence,
    l1_reconstruction,
)
from zslpipe.losses.wgan import gradient_penalty, penalty_of

__all__ = [
    "balanced_mse",
    "bernoulli_reconstruction",
    "cosine_scores",
    "cubic_reconstruction",
    "diversity",
    "gaussian_reconstruction",
    "gradient_penalty",
    "kl_divergence",
    "l1_reconstruction",
    "mse",
    "nmse",
    "penalty_of",
    "remse",
    "sce",
    "unit",
]
