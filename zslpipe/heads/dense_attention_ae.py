"""Classes that attend over regions, with one decoder for attended and encoded features (Li & Wang, BMVC 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.parts.class_attention import (
    EPS,
    attended_scores,
    attended_scores_at_once,
    class_attention,
    gram_gap,
    parts,
)
from zslpipe.parts.head import register
from zslpipe.parts.problem import Problem, TrainingData
from zslpipe.parts.settings import Count, NonNegative, Positive, Whole
from zslpipe.parts.task import Inputs, Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import Features, take
from zslpipe.training.placed import Placed

PROBED = 512  # training images from whose regions the scale is estimated
JUDGED = 100  # training images on which the finished head is judged
SCORED = 2**22  # affinities per step of scoring: few enough for memory, enough for fast matrix products


class DenseAttention(nn.Module):
    """Encoder h_e and decoder h_d, applied to regions X (R, D); classes are columns in the paper, rows here.

    H = h_e(K) (C, D) queries the regions: A = softmax over the regions of X H^T. The decoder maps the attended feature
    of each class to semantics, h_d(X^T a_c), which equals attending over the decoded regions.
    """

    centre: Tensor
    basis: Tensor
    region_scale: Tensor
    input_scale: Tensor
    latent_centre: Tensor

    def __init__(self, head: "DenseAttentionAE", width: int, attributes: int, rank: int) -> None:
        super().__init__()
        hidden = [nn.Linear(head.encoder_hidden, width)] if head.encoder_hidden else []
        self.encoder = nn.Sequential(nn.Linear(rank, head.encoder_hidden or width), nn.Sigmoid(), *hidden)
        self.decoder = nn.Linear(width, rank)
        self.mapping = None if head.coupled else nn.Linear(width, rank)
        self.printed, self.similarity = head.reading == "printed", head.similarity
        self.gain = 1.0 if self.printed else head.attention_gain / width**0.5
        self.register_buffer("centre", torch.zeros(attributes))
        self.register_buffer("basis", torch.eye(attributes, rank))
        self.register_buffer("region_scale", torch.ones(()))
        self.register_buffer("input_scale", torch.ones(()))
        self.register_buffer("latent_centre", torch.zeros(()))

    def describe(self, semantics: Tensor) -> Tensor:
        """Semantics (C, A) as input of the networks: (C, M)."""
        described = semantics - self.centre
        if self.basis.shape[0] != self.basis.shape[1]:
            described = described @ self.basis
        return described if self.printed else F.normalize(described, dim=1)

    def encode(self, described: Tensor) -> Tensor:
        """H (C, D) of described classes (C, M)."""
        latent: Tensor = self.encoder(self.input_scale * described) - self.latent_centre
        return latent

    def queries(self, latent: Tensor) -> Tensor:
        """(C, D) encoded classes, scaled: their products with regions are the affinities."""
        return latent * (self.gain * self.region_scale)

    def read(self, regions: Tensor) -> Tensor:
        """(B, R, M) output of the visual-to-semantic mapping, by default the decoder, for every region."""
        g = self.mapping or self.decoder
        return F.linear(regions, g.weight * self.region_scale, g.bias)

    def forward(self, regions: Tensor, described: Tensor, queries: Tensor) -> Tensor:
        """(B, C) similarity of each class's decoded attended feature to its semantics, for each image."""
        return attended_scores(regions @ queries.T, self.read(regions), described, self.similarity)


@register("dense-attention-ae")
@dataclass
class DenseAttentionAE(TorchHead[DenseAttention]):
    """Joint learning of attended features and the visual-to-semantic mapping.

    With class semantics K (C, A), an encoder h_e to the width of regions and a linear decoder h_d back:

        H = h_e(K)                                         (eq. 1; W_e K + b_e through a sigmoid)
        A_i = softmax over regions of X_i H^T              (dense attention: a distribution for each class)
        score_ij = s(h_d(X_i^T a_ij), k_j)                 (s: cosine or inner product)
        L = L_CLS + alpha L_MA + eta L_SR
        L_CLS: cross-entropy of the scores over the seen classes
        L_MA = |H_s H_s^T - K_s K_s^T|_F^2                 over the seen classes
        L_SR = |K - h_d(h_e(K))|_F^2                       over ALL classes passed to `fit`

    L_SR uses the semantics of unseen classes during training, but never their images or image counts. If unseen
    semantics must not be used, pass only the seen classes to `fit`; others can still be scored later.

    Attended features are never formed (see `class_attention`). At test time the paper adds gamma to unseen scores,
    which is calibrated stacking: selection chooses delta, and "without calibration" is delta = 0.

    Args:
        alpha, eta: weights of L_MA and L_SR; 0 gives the paper's variants without them.
        similarity: cosine or dot.
        coupled: use the decoder as the mapping; False gives the mapping its own weights ("without coupling").
        encoder_hidden: 0 if the encoder's one hidden layer is the latent H itself; else the width of a sigmoid layer
            before a linear one.
        scale: factor of the scores, in the softmax and as returned.
        attention_gain: factor of X H^T / sqrt(D) before the softmax; 0 attends to all regions equally. On validation
            classes of 50 birds 0.3 is as good as 0, and better than 1 and 2.
        centre: origin of the semantics: the mean of the "seen" classes, of "all" passed to `fit`, or "none".
        centre_latent: subtract 1/2 from H, the middle of its range (without `encoder_hidden`).
        scale_features: divide regions by their root mean square.
        span: if semantics have more dimensions than there are classes, work in a basis of the space spanned by the
            classes, which shrinks matrix products from A to C. With 1024-d sentence vectors of 102 flowers training
            takes a quarter of the time and validation results are as good; with the 312 attributes of 50 birds they
            are worse, so it is off by default.
        reading: "printed" follows the text literally; "repaired" has the following deviations.

    Deviations, each the smallest that makes the method trainable (reading="printed" undoes all of them, and ignores
    `scale`, `attention_gain`, `centre`, `scale_features` and `span`):

    1. X H^T is divided by sqrt(D) and X by its root mean square. With X >= 0 and H in (0, 1)^2048 the printed logits
       are in the hundreds: the softmax starts and stays one-hot.
    2. L_MA compares cosines and is a mean over pairs of classes; L_SR is a mean over classes. As printed, H H^T has
       entries of 512 against K K^T <= 1, so L_MA exceeds L_CLS by nine orders of magnitude.
    3. Scores are multiplied by `scale`. Unscaled cosines keep the cross-entropy of 150 classes above 3.1.
    4. K is centred and of unit length: uncentred sentence vectors lie within a few degrees of each other.
    5. The encoder gets K times sqrt(A), and H is centred at 1/2. The entries of unit vectors are so small that H would
       hardly differ between classes; and vectors without negative entries cannot have the cosines of K, which L_MA
       asks for, while what all H share makes all classes attend to the same regions.
    """

    taps = ("region",)

    epochs: Count = 15
    learning_rate: Positive = 2e-3
    alpha: NonNegative = 0.5
    eta: NonNegative = 1.0
    similarity: Literal["cosine", "dot"] = "cosine"
    coupled: bool = True
    encoder_hidden: Whole = 0
    scale: Positive = 10.0
    attention_gain: NonNegative = 0.3
    centre: Literal["none", "seen", "all"] = "seen"
    centre_latent: bool = True
    scale_features: bool = True
    span: bool = False
    reading: Literal["repaired", "printed"] = "repaired"

    @classmethod
    def search_space(cls) -> Sequence[Mapping[str, Any]]:
        return ({}, {"learning_rate": 1e-3})

    def build(self, problem: Problem) -> DenseAttention:
        rank = attributes = problem.attributes
        if self.span and self.reading != "printed":
            rank = min(rank, problem.classes)
        return DenseAttention(self, problem.width("region"), attributes, rank)

    def prepare(self, module: DenseAttention, rows: Placed, task: Task) -> None:
        if self.reading == "printed":
            return
        module.input_scale.fill_(module.basis.shape[1] ** 0.5)  # entries of unit vectors get a mean square of 1
        if self.centre_latent and not self.encoder_hidden:
            module.latent_centre.fill_(0.5)
        if self.scale_features and (rms := rows.root_mean_squares(PROBED)["region"]) > 0:
            module.region_scale.fill_(1 / rms)
        if self.centre != "none":
            module.centre.copy_((task.semantics if self.centre == "all" else task.seen_semantics).mean(0))
        if module.basis.shape[1] < module.basis.shape[0]:
            module.basis.copy_(basis_of(task.semantics - module.centre))

    def terms(self, module: DenseAttention, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        described = module.describe(task.semantics)
        latent = module.encode(described)
        seen = described[task.seen], latent[task.seen]
        scores = module(inputs["region"], seen[0], module.queries(seen[1]))
        losses = {"cls": F.cross_entropy(self._scale * scores, labels)}
        if self.alpha:
            losses["ma"] = self.alpha * self._matching(*seen)
        if self.eta:
            errors = (described - module.decoder(latent)).square()
            losses["sr"] = self.eta * (errors.sum() if self.reading == "printed" else errors.sum(1).mean())
        return losses

    def _matching(self, described: Tensor, latent: Tensor) -> Tensor:
        if self.reading == "printed":
            return gram_gap(latent, described)
        return gram_gap(F.normalize(latent, dim=1), described) / len(described) ** 2

    @property
    def _scale(self) -> float:
        return 1.0 if self.reading == "printed" else self.scale

    def encode(self, module: DenseAttention, semantics: Tensor) -> tuple[Tensor, Tensor]:
        described = module.describe(semantics)
        return described, module.queries(module.encode(described))

    def scores(self, module: DenseAttention, inputs: Inputs, encoded: tuple[Tensor, Tensor]) -> Tensor:
        regions, (described, queries) = inputs["region"], encoded
        few = parts(len(regions), regions.shape[1], len(described), SCORED)
        done = [module(regions[part], described, queries) for part in few]
        return self._scale * torch.cat(done)

    def graph_scores(self, module: DenseAttention, inputs: Inputs, encoded: tuple[Tensor, Tensor]) -> Tensor:
        regions, (described, queries) = inputs["region"], encoded
        return self._scale * attended_scores_at_once(
            regions @ queries.T, module.read(regions), described, module.similarity
        )

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        earlier = {"input_scale": np.float32(1.0), "latent_centre": np.float32(0.0)}  # before these were states
        super().load_state({**{name: np.asarray(value) for name, value in earlier.items()}, **state})

    def learn(self, data: TrainingData) -> None:
        super().learn(data)
        self.health_ = self.health(data)

    def health(self, data: TrainingData) -> dict[str, float]:
        """Whether the parts work: errors of the reconstruction (zero would have 1) and of the cosines of classes, and
        how far the maps of two classes are apart on average (total variation, at most 1), on some training images.
        """
        net, seen = self.module_, np.unique(data.labels)
        some = take(data.features, np.arange(len(data.labels))[:: 1 + len(data.labels) // JUDGED])
        with torch.inference_mode():
            described = net.describe(self._tensor(data.semantics[seen]))
            latent = net.encode(described)
            errors = (described - net.decoder(latent)).square().sum(1) / described.square().sum(1)
            matching = gram_gap(F.normalize(latent, dim=1), F.normalize(described, dim=1)) / len(seen) ** 2
            maps = self.class_attention(some, data.semantics[seen])
        apart = [np.abs(maps - maps[:, [c]]).sum(2).mean() / 2 for c in range(len(seen))]
        pairs = max(len(seen) - 1, 1) / len(seen)  # a class is no distance from itself
        return {
            "reconstruction": float(errors.mean()),
            "matching": float(matching),
            "maps": float(np.mean(apart) / pairs),
        }

    def record(self) -> dict[str, Any]:
        kept = super().record()
        if health := getattr(self, "health_", None):
            told = (
                f"reconstruction error {health['reconstruction']:.3g} (zero has 1), error of cosines "
                f"{health['matching']:.3g}, maps of two classes {health['maps']:.3g} apart (of 1)"
            )
            kept |= {"health": health, "notes": [*kept.get("notes", ()), told]}
        return kept

    def class_attention(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, R) float32: attention of each class to each region of the images; sums to one over the regions."""
        with torch.inference_mode():
            _, queries = self.encode(self.module_, self._tensor(self.check_semantics(semantics)))
        return self.in_batches(features, lambda inputs: class_attention(inputs["region"] @ queries.T).mT)

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, A) what each attribute adds to the scores: of what a class reads, times the class's own value."""
        net = self.module_
        with torch.inference_mode():
            described, queries = self.encode(net, self._tensor(self.check_semantics(semantics)))
            own = described @ net.basis.T  # (C, A); the basis is orthonormal, so products stay the same

        def terms(inputs: Inputs) -> Tensor:
            regions = inputs["region"]
            read = class_attention(regions @ queries.T).mT @ net.read(regions)  # (B, C, M)
            norms = (described.square().sum(1) + EPS) * (read.square().sum(2) + EPS)
            factor = norms.rsqrt() if net.similarity == "cosine" else torch.ones_like(norms)
            return self._scale * factor[..., None] * (read @ net.basis.T) * own

        return self.in_batches(features, terms)


def basis_of(semantics: Tensor) -> Tensor:
    """(A, min(A, C)) orthonormal columns that span the rows of `semantics` (C, A).

    Principal axes under a fixed random rotation: on the axes themselves an optimiser with the same step size for every
    coordinate, such as Adam, would learn the weak ones, which are mostly noise, as fast as the strong ones.
    """
    axes = np.linalg.svd(semantics.double().cpu().numpy(), full_matrices=False)[2]  # (M, A)
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]  # signs are otherwise arbitrary
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(len(axes), len(axes))))
    return torch.tensor(axes.T @ rotation, dtype=semantics.dtype, device=semantics.device)
