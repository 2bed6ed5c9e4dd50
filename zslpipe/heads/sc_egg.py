"""SC-EGG: semantic compression, then embedding-guided generation of its features, then the final classifier."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zslpipe.heads.tf_vaegan import VaeganHead
from zslpipe.losses import unit
from zslpipe.parts.embedding_stages import EmbeddingSettings, EmbeddingTraining
from zslpipe.parts.feature_gan import FeatureGan
from zslpipe.parts.head import register
from zslpipe.parts.own_learner import cast_to
from zslpipe.parts.problem import Attributes, Problem
from zslpipe.parts.semantic_compression import EmbeddingNet
from zslpipe.parts.settings import Count, NonNegative, Positive
from zslpipe.parts.task import Inputs, Task
from zslpipe.training import Stage
from zslpipe.training.placed import Placed


class EmbeddingAndGenerator(nn.Module):
    """SCEN, and the generator of its features g."""

    def __init__(self, embedding: EmbeddingNet, gan: FeatureGan) -> None:
        super().__init__()
        self.embedding, self.gan = embedding, gan


@register("sc-egg")
@dataclass
class ScEgg(EmbeddingSettings, VaeganHead[EmbeddingAndGenerator]):  # type: ignore[misc]  # fewer settings
    """The stages of `scen`, then `tf-vaegan` on its dense-semantic features g, guided by its classifier CLS_g:

        L_SCE   cross-entropy of CLS_g(x^) over all classes, x^ the reconstruction of an image of a seen class
        L_UCE   the same for x^ = G(z, a) of a random unseen class

    CLS_g covers the classes passed to `fit`, unseen ones included, and stays as it is. Every stage is resumable and
    is trained again in each validation fold. The other settings are those of `scen` and `tf-vaegan`.

    Args:
        epochs: of the generator.
        embedding_epochs, embedding_rate: of the embedding; its second stage has `correspondence_epochs`.
        seen_weight, unseen_weight: of L_SCE and L_UCE (paper: 0.1 and 0.1; released: 1 and 0.001).
    """

    unit_length: ClassVar[bool] = False  # type: ignore[misc]  # CLS_g reads g as it is

    taps = ("region",)
    only_in_training: ClassVar[tuple[str, ...]] = (
        "gan.encoder.",
        "gan.critic.",
        "embedding.classifier.",
        "embedding.distilled.",
    )

    embedding_epochs: Count = 20
    embedding_rate: Positive = 1e-4
    seen_weight: NonNegative = 0.1
    unseen_weight: NonNegative = 0.1

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        taps = super().choose_taps(available, attributes)
        self.need_words(self.name, attributes)
        return taps

    def build(self, problem: Problem) -> EmbeddingAndGenerator:
        gan = FeatureGan(self.sizes(problem.width("region"), problem.attributes), self.penalty_weight)
        return EmbeddingAndGenerator(EmbeddingNet(problem, self.reading), gan)

    def gan(self, module: EmbeddingAndGenerator) -> FeatureGan:
        return module.gan

    def represent(self, module: EmbeddingAndGenerator, inputs: Inputs) -> Tensor:
        return module.embedding.dense(inputs["region"])

    def prepare(self, module: EmbeddingAndGenerator, rows: Placed, task: Task) -> None:
        with torch.no_grad():
            module.embedding.words.copy_(unit(task.words))

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        net, device = self.module_.embedding, task.semantics.device
        cast = cast_to(self.precision, device)
        training = EmbeddingTraining(net, self, rows, labels, task, self.batch, self.embedding_rate, self.seed, cast)
        yield from training.stages(self.embedding_epochs, "none")
        net.requires_grad_(False)
        g = Placed({"global": training.dense().cpu().numpy()}, ("global",), device)
        unseen = torch.ones(len(task.semantics), dtype=torch.bool, device=device)
        unseen[task.seen] = False
        yield self.generator_stage(g, labels, task, Guidance(self, task, unseen.nonzero()[:, 0]))


class Guidance:
    """L_SCE and L_UCE of what the generator makes.

    Args:
        head: with its module and weights.
        task: all classes.
        unseen: (U,) of them.
    """

    def __init__(self, head: ScEgg, task: Task, unseen: Tensor) -> None:
        self.head, self.module, self.task, self.unseen = head, head.module_, task, unseen
        self.conditions = head.module_.gan.conditions(task.semantics)

    def __call__(self, made: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Weighted terms of reconstructions (B, D) of images with labels (B,) into `task.seen`."""
        terms: dict[str, Tensor] = {}
        if self.head.seen_weight:
            terms["seen"] = self.head.seen_weight * self.error(made, self.task.seen[labels])
        if self.head.unseen_weight and len(self.unseen):
            gan, device = self.module.gan, labels.device
            chosen = self.unseen[torch.randint(len(self.unseen), (len(labels),), device=device)]
            made = gan.make(gan.noise(len(chosen)), self.conditions[chosen])
            terms["unseen"] = self.head.unseen_weight * self.error(made, chosen)
        return terms

    def error(self, made: Tensor, classes: Tensor) -> Tensor:
        scores = self.module.embedding.global_scores(self.module.gan.unscaled(made))
        return cross_entropy(scores.float(), classes)
