"""The embedding networks of SC-EGG: attended regions give local scores, and are compressed to one dense vector.

With regions X (R, D) of an image (unit rows f_r), word vectors v_n and unit-length semantics a_c,

    A_rn = softmax_r v_n^T W_alpha f_r       attention of attribute n
    h_n  = sum_r A_rn f_r                    attended feature (D,)
    e_n  = v_n^T W_beta h_n                  local embedding, p_l = <a_c, e>
    g    = MLP over n of h                   dense-semantic feature (D,), p_g = CLS_g(g)

All h_n of an image lie in the span of its R regions, so the first layer of the MLP meets the attention instead of them:
W (A X) = (W A) X, exactly, and the (batch, attributes, D) tensor of attended features is never formed.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, linear, normalize

from zslpipe.parts.attention import attend, region_attention
from zslpipe.parts.problem import Problem

Reading = Literal["paper", "released"]
SLOPE = 0.01  # of the compression's LeakyReLU
IMAGES = 64  # compressed at a time when features are written
DISTILLED = 1024  # hidden width of the released classifier


class Compression(nn.Module):
    """SC: A -> A/2 -> LeakyReLU -> 1 over the attributes."""

    def __init__(self, attributes: int) -> None:
        super().__init__()
        half = max(1, attributes // 2)
        self.first, self.second = nn.Linear(attributes, half), nn.Linear(half, 1)

    def forward(self, regions: Tensor, attention: Tensor) -> Tensor:
        """g (B, D) of regions (B, R, D) with attention (B, R, A)."""
        mixed = linear(attention, self.first.weight)  # (B, R, A/2)
        hidden = torch.baddbmm(self.first.bias[:, None], mixed.transpose(1, 2), regions)  # (B, A/2, D)
        out = self.second.weight.expand(len(hidden), 1, -1).bmm(leaky_relu(hidden, SLOPE))  # (B, 1, D)
        return out.squeeze(1) + self.second.bias


class EmbeddingNet(nn.Module):
    """Local and global embedding networks.

    Args:
        problem: with regions and word vectors.
        reading: paper: g is the learnt compression, with the linear classifier CLS_g. released: the code replaces both
            after its first stage: g is the mean over attributes, with a new classifier of two layers.
    """

    low: Tensor
    range: Tensor

    def __init__(self, problem: Problem, reading: Reading = "paper") -> None:
        super().__init__()
        width, attributes, words = problem.width("region"), problem.attributes, problem.words
        self.reading = reading
        self.words = nn.Parameter(torch.zeros(attributes, words))
        self.alpha = nn.Parameter(torch.zeros(words, width))  # uniform attention at the start
        self.beta = nn.Parameter(torch.randn(words, width))
        self.compression, self.classifier = Compression(attributes), nn.Linear(width, problem.classes)
        self.distilled = (
            nn.Sequential(nn.Linear(width, DISTILLED), nn.LeakyReLU(SLOPE), nn.Linear(DISTILLED, problem.classes))
            if reading == "released"
            else None
        )
        self.register_buffer("low", torch.zeros(width))
        self.register_buffer("range", torch.ones(width))

    def unit(self, regions: Tensor) -> Tensor:
        """Regions (B, R, D) of unit length."""
        return normalize(regions, dim=-1)

    def local(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """e (B, A) and attention (B, R, A) of unit regions."""
        return attend(regions, self.words @ self.alpha, self.words @ self.beta)

    def attention(self, regions: Tensor) -> Tensor:
        return region_attention(regions, self.words @ self.alpha)

    def compressed(self, regions: Tensor, attention: Tensor) -> Tensor:
        """g (B, D) in the way of the reading."""
        if self.reading == "released":
            return (attention.mean(2).unsqueeze(1) @ regions).squeeze(1)
        g: Tensor = self.compression(regions, attention)
        return g

    def dense(self, regions: Tensor) -> Tensor:
        """g (B, D) of regions as stored, without gradients of their own large tensors in mind."""
        parts = (self.unit(part) for part in regions.split(IMAGES))
        return torch.cat([self.compressed(part, self.attention(part)) for part in parts])

    def fit_scale(self, g: Tensor) -> None:
        """Set the range of g (N, D), which the released classifier scales to [0, 1]."""
        low, high = g.amin(0), g.amax(0)
        self.low.copy_(low)
        self.range.copy_(torch.where(high > low, high - low, 1.0))

    def global_scores(self, g: Tensor) -> Tensor:
        """p_g (B, K) of all classes passed to `fit`."""
        if self.distilled is None:
            scores: Tensor = self.classifier(g)
            return scores
        distilled: Tensor = self.distilled((g - self.low) / self.range)
        return distilled
