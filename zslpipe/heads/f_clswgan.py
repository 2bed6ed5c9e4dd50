"""f-CLSWGAN: a WGAN of features that a classifier of seen classes has to recognise (Xian et al., CVPR 2018)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zslpipe.parts.adversarial import GanSettings
from zslpipe.parts.feature_gan import FeatureGan, GanSizes
from zslpipe.parts.generator import Output
from zslpipe.parts.generator_head import GeneratorHead
from zslpipe.parts.head import register
from zslpipe.parts.problem import Problem
from zslpipe.parts.settings import Count, NonNegative
from zslpipe.parts.task import Task
from zslpipe.training import At, Batch, Descent, RowBatches, Shuffled, Stage
from zslpipe.training.placed import Placed


class GanAndClassifier(nn.Module):
    """The generator, and the classifier of the classes passed to `fit`, which only training uses."""

    def __init__(self, gan: FeatureGan, classes: int) -> None:
        super().__init__()
        self.gan, self.classifier = gan, nn.Linear(gan.sizes.width, classes)


@register("f-clswgan")
@dataclass
class FClswgan(GeneratorHead[GanAndClassifier]):
    """WGAN-GP of features x given semantics a, with the loss of a softmax trained on real features before.

        L_D = gamma ( E D(x~, a) - E D(x, a) + lambda E (|grad_x D(x', a)| - 1)^2 ),   x' between x and x~ = G(z, a)
        L_G = - gamma E D(x~, a) + beta CE(classifier(x~), y)

    The paper has gamma = 1, one hidden layer of 4096 units, and features and semantics as they are.

    Args:
        classification_weight: beta.
        seen_epochs: of the classifier of seen classes.
    """

    only_in_training: ClassVar[tuple[str, ...]] = ("gan.critic.", "classifier.")

    critic_steps: Count = 5  # without the likelihood of a VAE one is too few
    classification_weight: NonNegative = 0.01
    seen_epochs: Count = 20

    def build(self, problem: Problem) -> GanAndClassifier:
        width, attributes = problem.width("global"), problem.attributes
        output: Output = "linear" if self.features == "standardised" else "relu"
        latent = self.latent or attributes
        sizes = GanSizes(width, attributes, latent, self.hidden, False, False, output, self.unit_length)
        return GanAndClassifier(FeatureGan(sizes, self.penalty_weight), problem.classes)

    def gan(self, module: GanAndClassifier) -> FeatureGan:
        return module.gan

    def settings_of_gan(self) -> GanSettings:
        return GanSettings(
            critic_steps=self.critic_steps,
            critic_weight=self.critic_weight,
            adaptive_penalty=False,
            learning_rate=self.learning_rate,
        )

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        module = self.module_
        last = self.generator_stage(rows, labels, task, self._classified)  # sets the range of the features

        def terms(batch: Batch, _: At) -> dict[str, Tensor]:
            x = module.gan.scaled(batch.inputs["global"])
            return {"classification": cross_entropy(module.classifier(x), batch.labels)}

        optimiser = torch.optim.Adam(module.classifier.parameters(), lr=1e-3, betas=(0.5, 0.999), fused=True)
        batches = RowBatches(rows, labels, Shuffled(len(rows), 100, self.seed))
        yield Stage("classifier", Descent(module.classifier, optimiser, terms), batches, self.seen_epochs, "none")
        module.classifier.requires_grad_(False)
        yield last

    def _classified(self, made: Tensor, labels: Tensor) -> dict[str, Tensor]:
        loss = cross_entropy(self.module_.classifier(made).float(), labels)
        return {"classification": self.classification_weight * loss}
