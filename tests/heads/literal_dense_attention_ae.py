"""Literal implementation of the dense-attention auto-encoder: the reference for tests and benchmarks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from zslpipe.heads.dense_attention_ae import DenseAttention, DenseAttentionAE
from zslpipe.parts.task import Task


def attended_features(module: DenseAttention, regions: Tensor, latent: Tensor) -> Tensor:
    """(B, C, D): sum over the regions x of x times the attention of a class."""
    x = regions * module.region_scale
    attention = torch.einsum("brd,cd->brc", module.gain * x, latent).softmax(1)
    return torch.einsum("brd,brc->bcd", x, attention)


def scores(module: DenseAttention, regions: Tensor, described: Tensor, latent: Tensor) -> Tensor:
    """(B, C): similarity of each class's mapped attended feature to its semantics."""
    mapping = module.decoder if module.mapping is None else module.mapping
    read = mapping(attended_features(module, regions, latent))  # (B, C, M)
    if module.similarity == "dot":
        return torch.einsum("bcm,cm->bc", read, described)
    return F.cosine_similarity(read, described[None], dim=2)


def terms(head: DenseAttentionAE, module: DenseAttention, regions: Tensor, labels: Tensor, task: Task) -> list[Tensor]:
    """The three weighted losses."""
    printed = head.reading == "printed"
    k = module.describe(task.semantics)
    h = module.encoder(k if printed else k * k.shape[1] ** 0.5)
    if not printed and head.centre_latent and not head.encoder_hidden:
        h = h - 0.5
    k_seen, h_seen = k[task.seen], h[task.seen]
    cls = F.cross_entropy((1.0 if printed else head.scale) * scores(module, regions, k_seen, h_seen), labels)
    if not printed:
        h_seen = h_seen / h_seen.norm(dim=1, keepdim=True)
    matching = (h_seen @ h_seen.T - k_seen @ k_seen.T).square()
    reconstruction = (k - module.decoder(h)).square()
    if printed:
        return [cls, head.alpha * matching.sum(), head.eta * reconstruction.sum()]
    return [cls, head.alpha * matching.mean(), head.eta * reconstruction.sum(1).mean()]
