"""Scaled cosine cross-entropy (SCE): classify by the angle between predicted and true class semantics."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-10  # added to norms: an all-zero prediction scores zero with every class


def unit(x: Tensor) -> Tensor:
    """Rows of x (..., A) divided by their Euclidean norm; a zero row stays zero, and its gradient finite."""
    return x / (torch.linalg.vector_norm(x, dim=-1, keepdim=True) + EPS)


def cosine_scores(predicted: Tensor, semantics: Tensor, scale: float | Tensor = 1.0) -> Tensor:
    """scale * cos(predicted_b, semantics_c) for predicted (B, A) and semantics (C, A): (B, C)."""
    return scale * (unit(predicted) @ unit(semantics).T)


def sce(predicted: Tensor, semantics: Tensor, targets: Tensor, scale: float | Tensor = 20.0) -> Tensor:
    """Mean cross-entropy of softmax(scale * cosine) over the classes given (Ye et al., TIP 2023, eq. 4-5).

    Args:
        predicted: (B, A) predicted semantics, of any length.
        semantics: (C, A) the classes to tell apart; in training the seen ones.
        targets: (B,) rows of `semantics`.
        scale: inverse temperature of the softmax.
    """
    return F.cross_entropy(cosine_scores(predicted, semantics, scale), targets)
