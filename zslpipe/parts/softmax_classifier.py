"""The final classifier of generative heads: softmax regression on real and synthetic features."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

STD = 0.02  # of initial weights


def train_softmax(
    x: Tensor, labels: Tensor, classes: int, epochs: int, batch: int, learning_rate: float
) -> Iterator[tuple[Tensor, Tensor]]:
    """Train by Adam on shuffled batches; yields weights (C, D) and bias (C,) after every epoch.

    It reads standardised features: with those in [0, 1] that generative papers use, it takes many times as many epochs.
    What is yielded is for features as they are. Draws from torch's random state.

    Args:
        x: (N, D) features.
        labels: (N,) below `classes`.
        classes: C.
        epochs, batch, learning_rate: of the training.
    """
    centre, divisor = x.mean(0), x.std(0, correction=0)
    divisor = torch.where(divisor > 0, divisor, 1.0)
    weight = (STD * torch.randn(classes, x.shape[1])).to(x.device).requires_grad_()
    bias = torch.zeros(classes, device=x.device, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=learning_rate, betas=(0.5, 0.999), fused=True)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).to(x.device).split(batch):
            standardised = (x[part] - centre) / divisor
            loss = cross_entropy(torch.addmm(bias, standardised, weight.T), labels[part])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        for_x = weight.detach() / divisor
        yield for_x, bias.detach() - for_x @ centre
