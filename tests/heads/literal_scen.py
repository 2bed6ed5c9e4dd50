"""SCEN's stage 1 as it is published: attended features of every attribute, then a perceptron over the attributes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from zslpipe.parts.semantic_compression import EmbeddingNet


def attended(net: EmbeddingNet, regions: Tensor) -> Tensor:
    """h (B, A, D) of regions (B, R, D) as stored."""
    f = F.normalize(regions, dim=-1)
    logits = torch.einsum("nw,wd,brd->bnr", net.words, net.alpha, f)
    return torch.einsum("bnr,brd->bnd", logits.softmax(-1), f)


def local(net: EmbeddingNet, h: Tensor) -> Tensor:
    """e (B, A)"""
    return torch.einsum("nw,wd,bnd->bn", net.words, net.beta, h)


def compressed(net: EmbeddingNet, h: Tensor) -> Tensor:
    """g (B, D) by the perceptron over the attributes, or by their mean."""
    if net.reading == "released":
        return h.mean(1)
    return perceptron(net, h)


def perceptron(net: EmbeddingNet, h: Tensor) -> Tensor:
    hidden = F.leaky_relu(net.compression.first(h.transpose(1, 2)), 0.01)  # (B, D, A/2)
    out: Tensor = net.compression.second(hidden)
    return out.squeeze(-1)


def embedding_loss(net: EmbeddingNet, regions: Tensor, labels: Tensor, semantics: Tensor, seen: Tensor) -> Tensor:
    """L_LCE + L_GCE with labels (B,) of all classes."""
    h = attended(net, regions)
    a = semantics / semantics.norm(dim=1, keepdim=True)
    p_l = torch.einsum("cn,bn->bc", a, local(net, h))
    p_g = net.classifier(perceptron(net, h))
    if net.reading == "released":
        place = torch.full((len(semantics),), -1)
        place[seen] = torch.arange(len(seen))
        p_l, p_g, labels = p_l[:, seen], p_g[:, seen], place[labels]
    return F.cross_entropy(p_l, labels) + F.cross_entropy(p_g, labels)


def correspondence_loss(net: EmbeddingNet, regions: Tensor, semantics: Tensor) -> Tensor:
    """L_SCR"""
    h = attended(net, regions)
    a = semantics / semantics.norm(dim=1, keepdim=True)
    p_l = torch.einsum("cn,bn->bc", a, local(net, h)).detach()
    error = (net.global_scores(compressed(net, h)) - p_l) ** 2
    return error.mean() if net.reading == "released" else error.sum(1).mean()
