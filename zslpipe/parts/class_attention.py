"""Attention of classes over regions and its linear read-out, without ever forming an attended feature.

A class c attends over the regions of an image with a distribution a_c (R,). A linear map (W, b) of the attended
feature is e_c = W (X a_c) + b = (W X + b 1^T) a_c = P a_c, with P (M, R) shared by all classes (the entries of a_c sum
to one). The cosine of e_c with the class's semantics z_c needs two numbers:

    <e_c, z_c> = sum_r a_cr (P^T z_c)_r        |e_c|^2 = a_c^T (P^T P) a_c

so the affinity (B, R, C) is needed, but no tensor (B, C, D) or (B, C, M).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

AT_ONCE = 2**19  # affinities processed at a time: they and their products stay in the cache
EPS = 1e-12  # added to squared norms


def class_attention(affinity: Tensor) -> Tensor:
    """(B, R, C) affinities to one distribution over the regions for each image and class."""
    return affinity.softmax(1)


class _Read(torch.autograd.Function):
    """(affinity (B, R, C), reading P (B, R, M), semantics (C, M)) -> <e, z> (B, C) and |e|^2 (B, C) or None.

    Only the attention (instead of the affinity) and P are kept for the backward pass; products of P are cheap to
    recompute.
    """

    @staticmethod
    def forward(ctx: Any, affinity: Tensor, reading: Tensor, semantics: Tensor, norms: bool) -> Any:
        batch, _, classes = affinity.shape
        attention = torch.empty_like(affinity)
        dot = affinity.new_empty(batch, classes)
        square = affinity.new_empty(batch, classes) if norms else None
        for part in parts(*affinity.shape):
            p = reading[part]
            a = torch.softmax(affinity[part], 1, out=attention[part])
            product = p @ semantics.T  # (b, R, C)
            torch.sum(product.mul_(a), 1, out=dot[part])
            if square is not None:
                torch.bmm(p @ p.mT, a, out=product)
                torch.sum(product.mul_(a), 1, out=square[part])
        ctx.save_for_backward(attention, reading, semantics, dot, square)
        return dot, square

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_dot: Tensor, grad_square: Tensor | None) -> Any:
        attention, reading, semantics, dot, square = ctx.saved_tensors
        grad_affinity, grad_reading = torch.empty_like(attention), torch.empty_like(reading)
        grad_semantics = torch.zeros_like(semantics) if ctx.needs_input_grad[2] else None
        for part in parts(*attention.shape):
            a, p = attention[part], reading[part]
            of_dot = grad_dot[part][:, None]  # (b, 1, C)
            grad = torch.matmul(p, semantics.T).mul_(of_dot)  # d/da of <e, z>
            weighted = a * of_dot
            grad_p = weighted @ semantics
            if grad_semantics is not None:
                grad_semantics += torch.einsum("brc,brm->cm", weighted, p)
            mean = of_dot * dot[part][:, None]  # sum_r a_r grad_r, subtracted by the softmax's gradient
            if grad_square is not None:
                of_square = 2 * grad_square[part][:, None]
                grad += torch.bmm(p @ p.mT, a).mul_(of_square)  # d/da of |e|^2 = 2 P^T P a
                torch.mul(a, of_square, out=weighted)
                grad_p += (weighted @ a.mT) @ p
                mean = mean + of_square * square[part][:, None]
            torch.mul(grad.sub_(mean), a, out=grad_affinity[part])
            grad_reading[part] = grad_p
        return grad_affinity, grad_reading, grad_semantics, None


def parts(batch: int, regions: int, classes: int, at_once: int = AT_ONCE) -> list[slice]:
    """Slices of a batch with at most `at_once` affinities each, or one image."""
    step = max(1, at_once // max(1, regions * classes))
    return [slice(start, start + step) for start in range(0, max(1, batch), step)]


def attended_scores(affinity: Tensor, reading: Tensor, semantics: Tensor, similarity: str = "cosine") -> Tensor:
    """Similarity of each class's mapped attended feature to its semantics.

    Args:
        affinity: (B, R, C) of regions and classes, before the softmax over regions.
        reading: (B, R, M) the linear map of every region, bias included.
        semantics: (C, M).
        similarity: "cosine", or "dot" for the inner product.

    Returns:
        (B, C); differentiable once.
    """
    precise = torch.promote_types(reading.dtype, torch.float32)  # half precision is too coarse for small norms
    affinity, reading, semantics = (t.to(precise) for t in (affinity, reading, semantics))
    with torch.autocast(affinity.device.type, enabled=False):
        dot, square = _Read.apply(affinity, reading, semantics, similarity == "cosine")
    return _similarity(dot, square, semantics)


def attended_scores_at_once(affinity: Tensor, reading: Tensor, semantics: Tensor, similarity: str = "cosine") -> Tensor:
    """`attended_scores` in a few products of whole tensors, for graphs; takes more memory."""
    attention = affinity.softmax(1)
    dot = (attention * (reading @ semantics.T)).sum(1)
    square = (attention * (reading @ reading.mT @ attention)).sum(1) if similarity == "cosine" else None
    return _similarity(dot, square, semantics)


def _similarity(dot: Tensor, square: Tensor | None, semantics: Tensor) -> Tensor:
    """Cosine (B, C) from <e, z> and |e|^2; without the latter the inner product."""
    if square is None:
        return dot
    norms = (semantics.square().sum(1) + EPS) * (square.clamp_min(0) + EPS)
    return dot * norms.rsqrt()


def gram_gap(x: Tensor, y: Tensor) -> Tensor:
    """|X X^T - Y Y^T|_F^2 of X (C, D) and constant Y (C, M), in time that is linear in C once C exceeds D.

    Both factors of X X^T give the same gradient, so one of them is held fixed and the gradient doubled.
    """
    fixed = x.detach()
    if len(x) <= x.shape[1]:
        half = (x @ fixed.T - y @ y.T).square().sum()
        return 2 * half - half.detach()
    own = (fixed.T @ x).square().sum()
    return 2 * own - own.detach() - 2 * (x.T @ y).square().sum() + (y.T @ y).square().sum()
