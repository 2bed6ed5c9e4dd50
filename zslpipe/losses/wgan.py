"""The loss of a Wasserstein critic with gradient penalty (Gulrajani et al., 2017)."""

from collections.abc import Callable

import torch
from torch import Tensor

EPS = 1e-24  # keeps the gradient of the norm finite at zero


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """mean (|grad_x D(x)| - 1)^2 at x = mix * real + (1 - mix) * fake, for any critic; differentiated twice.

    Args:
        critic: features (B, D) to values (B,).
        real, fake: (B, D).
        mix: (B, 1) in [0, 1].
    """
    mixed = torch.lerp(fake, real, mix).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    return penalty_of(slope)


def penalty_of(slope: Tensor) -> Tensor:
    """mean (|slope| - 1)^2 of gradients (B, D)."""
    norm = slope.float().square().sum(1).add(EPS).sqrt()
    return (norm - 1).square().mean()
