"""Literal implementation of AttentionNet and ReMSE from the paper: the reference for tests and benchmarks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from zslpipe.heads.attention_net import CrossAttention


def attention_net(net: CrossAttention, regions: Tensor) -> Tensor:
    """Predicted semantics (B, A) of regions (B, R, C), one tensor per symbol, including (B, A, C) ones."""
    regions = net.scale * regions
    query = net.query(net.words)  # (A, M)
    key, value = net.key(regions), net.value(regions)  # (B, R, M)
    attention = (net.temperature * torch.einsum("am,brm->bar", query, key)).softmax(2)
    attended = torch.einsum("bar,brm->bam", attention, value)
    features = net.ratio * net.out(attended)  # (B, A, C)
    if net.fused:
        features = features + regions.mean(1)[:, None, :]
    if net.hidden is not None:
        features = net.hidden(features)
    return torch.einsum("bac,ac->ba", features, net.prototypes)


def remse(predicted: Tensor, target: Tensor, labels: Tensor, classes: int, alpha: float, beta: float) -> Tensor:
    """ReMSE with loops over samples, classes and semantics' axes, as in public code."""
    errors = (F.normalize(predicted, dim=1, eps=1e-10) - F.normalize(target, dim=1, eps=1e-10)).square()
    held = errors.detach()
    means = torch.zeros(classes, errors.shape[1])
    for c in range(classes):
        members = held[labels == c]
        if len(members):
            means[c] = members.mean(0)
    over_classes, over_attributes = torch.ones_like(means), torch.ones_like(means)
    for j in range(means.shape[1]):
        positive = means[:, j] > 0
        if positive.any():
            column = means[positive, j]
            over_classes[positive, j] = (1 + (column / column.min()).log()) ** alpha
    for c in range(classes):
        positive = means[c] > 0
        if positive.any():
            row = means[c, positive]
            over_attributes[c, positive] = (1 + (row / row.min()).log()) ** beta
    weights = torch.stack([(over_classes * over_attributes)[c] for c in labels])
    return (weights * errors).sum(1).mean()
