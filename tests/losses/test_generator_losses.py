"""The losses of feature generators against their formulas, closed forms and autograd."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.distributions import kl_divergence as exact_kl

from zslpipe.losses import (
    bernoulli_reconstruction,
    cubic_reconstruction,
    gaussian_reconstruction,
    gradient_penalty,
    kl_divergence,
    l1_reconstruction,
    penalty_of,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def test_kl_is_that_of_the_distributions() -> None:
    mean, log_variance = random(5, 3), random(5, 3, seed=1)
    exact = exact_kl(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), exact)
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_reconstruction_is_the_negative_log_likelihood() -> None:
    made, real = torch.rand(4, 6), torch.rand(4, 6)
    literal = -(real * made.log() + (1 - real) * (1 - made).log()).sum() / 4
    torch.testing.assert_close(bernoulli_reconstruction(made, real), literal)
    torch.testing.assert_close(
        bernoulli_reconstruction(made, real + 5), bernoulli_reconstruction(made, torch.ones(4, 6))
    )


def test_gaussian_reconstruction_is_a_likelihood_but_for_a_constant() -> None:
    made, real = random(4, 6), random(4, 6, seed=1)
    constant = -Normal(0.0, 1.0).log_prob(torch.tensor(0.0)) * 6
    literal = -Normal(made, 1.0).log_prob(real).sum(1).mean() - constant
    torch.testing.assert_close(gaussian_reconstruction(made, real), literal)


def test_semantic_reconstruction() -> None:
    made, target = random(4, 5), random(4, 5, seed=1)
    error = made - target
    literal = sum(float((row.abs() ** 3).sum() / row.norm()) for row in error) / 4
    assert float(cubic_reconstruction(made, target)) == pytest.approx(literal, rel=1e-5)
    assert float(l1_reconstruction(made, target)) == pytest.approx(float(error.abs().sum()) / 4, rel=1e-5)


def test_a_perfect_row_has_no_error_and_a_finite_gradient() -> None:
    target = random(2, 4)
    made = target.clone().requires_grad_()
    loss = cubic_reconstruction(made, target)
    loss.backward()
    assert loss == 0
    assert made.grad is not None
    assert torch.isfinite(made.grad).all()


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5])
def test_penalty_of_a_linear_critic(length: float) -> None:
    """The gradient of <w, x> is w everywhere, so the penalty is (|w| - 1)^2 with gradient 2 (|w| - 1) w / |w|."""
    weight = (length * torch.nn.functional.normalize(random(6), dim=0)).requires_grad_()
    penalty = gradient_penalty(lambda x: x @ weight, random(5, 6), random(5, 6, seed=1), torch.rand(5, 1))
    assert float(penalty.detach()) == pytest.approx((length - 1) ** 2, abs=1e-6)
    penalty.backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, 2 * (length - 1) * weight.detach() / length, atol=1e-5, rtol=1e-5)


def test_penalty_of_a_quadratic_critic_lies_between_real_and_fake() -> None:
    """The gradient of |x|^2 / 2 is x: the penalty measures the length of the mixture itself."""
    real, fake, mix = random(5, 6), random(5, 6, seed=1), torch.rand(5, 1)
    found = gradient_penalty(lambda x: 0.5 * x.square().sum(1), real, fake, mix)
    torch.testing.assert_close(found, ((mix * real + (1 - mix) * fake).norm(dim=1) - 1).square().mean())


def test_a_flat_critic_has_a_finite_gradient() -> None:
    slope = torch.zeros(3, 4, requires_grad=True)
    penalty = penalty_of(slope)
    penalty.backward()
    assert penalty == 1
    assert slope.grad is not None
    assert torch.isfinite(slope.grad).all()
