"""Scaled cosine cross-entropy (SCE): classification by the cosine between predicted and class semantics."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-10  # added to norms, so that an all-zero prediction has score zero for every class


def unit(x: Tensor) -> Tensor:
    """Rows of x (..., A) divided by their Euclidean norm; zero rows stay zero, with a finite gradient."""
    return x / (torch.linalg.vector_norm(x, dim=-1, keepdim=True) + EPS)


def cosine_scores(predicted: Tensor, semantics: Tensor, scale: float | Tensor = 1.0) -> Tensor:
    """(B, C) scores scale * cos(predicted_b, semantics_c) for predicted (B, A) and semantics (C, A)."""
    return scale * (unit(predicted) @ unit(semantics).T)


def sce(predicted: Tensor, semantics: Tensor, targets: Tensor, scale: float | Tensor = 20.0) -> Tensor:
    """Mean cross-entropy of softmax(scale * cosine) over the given classes (Ye et al., TIP 2023, eq. 4-5).

    Args:
        predicted: (B, A) predicted semantics, of any norm.
        semantics: (C, A) semantics of the classes, in training the seen ones.
        targets: (B,) rows of `semantics`.
        scale: inverse temperature of the softmax.
    """
    return F.cross_entropy(cosine_scores(predicted, semantics, scale), targets)
