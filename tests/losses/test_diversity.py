"""The diversity loss is that of the printed sums, and its gradient that of the sorted weights."""

import pytest
import torch

from zslpipe.losses import diversity
from zslpipe.losses.diversity import EPSILON, margins

EPOCHS = [1, 2, 7, 100]


def random_weights(batch: int = 3, modules: int = 5, channels: int = 4) -> torch.Tensor:
    return torch.rand(batch, modules, channels, generator=torch.Generator().manual_seed(0))


def literal(weights: torch.Tensor, epoch: int) -> torch.Tensor:
    total = torch.zeros(())
    for sample in weights:
        for channel in sample.T:
            mean, largest = float(channel.detach().mean()), float(channel.detach().max())
            lower = mean + EPSILON * (mean + EPSILON < largest)
            margin = max(lower, (1 - 1 / (1 + epoch)) * largest)
            for i, w in enumerate(channel):
                other = torch.cat([channel[:i], channel[i + 1 :]]).max()
                total = total + w * other - margin * (w + other)
    return total / len(weights)


@pytest.mark.parametrize("modules", [2, 3, 10])
@pytest.mark.parametrize("epoch", EPOCHS)
def test_it_is_the_double_sum(modules: int, epoch: int) -> None:
    weights = random_weights(modules=modules).requires_grad_()
    ours, theirs = diversity(weights, epoch), literal(weights, epoch)
    torch.testing.assert_close(ours, theirs)
    (slope,), (expected,) = torch.autograd.grad(ours, weights), torch.autograd.grad(theirs, weights)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("epoch", EPOCHS)
def test_gradients_of_sorted_weights(epoch: int) -> None:
    """Equations 8 to 10: of the largest, of the second, and of all other weights of a channel."""
    weights = random_weights(batch=1, modules=6).requires_grad_()
    (slope,) = torch.autograd.grad(diversity(weights, epoch), weights)
    order = weights.detach()[0].argsort(0, descending=True)
    w, g = weights.detach()[0].gather(0, order), slope[0].gather(0, order)
    margin = margins(weights.detach(), epoch)[0]
    torch.testing.assert_close(g[0], w[1] + w[1:].sum(0) - 6 * margin)
    torch.testing.assert_close(g[1], 2 * (w[0] - margin))
    torch.testing.assert_close(g[2:], (w[0] - margin).expand(4, -1))
    assert (g[1:] > 0).all()  # descent lowers them: the largest weight is above the margin


def test_the_margin_rises_towards_the_largest_weight() -> None:
    weights = random_weights()
    rising = torch.stack([margins(weights, epoch) for epoch in (1, 5, 50)])
    assert (rising.diff(dim=0) >= 0).all()
    assert (rising <= weights.amax(1)).all()
    assert (rising >= weights.mean(1)).all()


def test_equal_weights_have_their_mean_as_margin() -> None:
    weights = torch.full((2, 4, 3), 0.25)
    torch.testing.assert_close(margins(weights, 1), torch.full((2, 3), 0.25), rtol=0, atol=0)
    nearly = weights.clone()
    nearly[:, 0] += 3 * EPSILON
    assert (margins(nearly, 1) < nearly.amax(1)).all()


def test_a_single_module_has_no_others() -> None:
    assert diversity(random_weights(modules=1), 1) == 0


def test_half_precision_does_not_overflow() -> None:
    weights = torch.ones(2, 10, 2048, dtype=torch.float16)
    assert torch.isfinite(diversity(weights, 1))
