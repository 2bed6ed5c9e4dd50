"""The diversity loss of BGSNet's instance-level weights."""

import torch
from torch import Tensor

EPSILON = 1e-6


def diversity(weights: Tensor, epoch: int) -> Tensor:
    """The mean over a batch of the diversity loss of weights (B, N, K) that N modules give to K channels.

        sum_k sum_i  w_ik w^_ik - mrg_k (w_ik + w^_ik),    w^_ik = max over the other modules n of w_nk    (eq. 14)
        mrg_k = max(lower_k, (1 - 1 / (1 + epoch)) max_i w_ik)                           no gradient
        lower_k = mean_i w_ik + epsilon if that is less than max_i w_ik, else mean_i w_ik

    Its gradient pulls down all but the largest weight of each channel, as far as those are above the margin. `epoch`
    counts from 1. Only the two largest weights M_1, M_2 and the sum S of a channel matter:

        M_1 (S - M_1 + M_2) - mrg (S + (N - 1) M_1 + M_2)

    Zero for a single module, which has no others. Computed in float32: it is a sum of many thousand products.

    Source: Li et al., "Balancing Generalization and Specialization in Zero-shot Learning".
    """
    weights = weights.float()
    count = weights.shape[1]
    if count < 2:
        return weights.new_zeros(())
    largest, second = weights.topk(2, dim=1).values.unbind(1)  # (B, K)
    total = weights.sum(1)
    margin = margins(weights.detach(), epoch)
    products = largest * (total - largest + second)
    return (products - margin * (total + (count - 1) * largest + second)).sum(1).mean()


def margins(weights: Tensor, epoch: int) -> Tensor:
    """mrg (B, K)."""
    mean, largest = weights.mean(1), weights.amax(1)
    lower = torch.where(mean + EPSILON < largest, mean + EPSILON, mean)
    return torch.maximum(lower, (1 - 1 / (1 + epoch)) * largest)
