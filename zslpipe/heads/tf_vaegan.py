"""TF-VAEGAN: a VAE-GAN of features with a semantic decoder and feedback (Narayan et al., ECCV 2020)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from zslpipe.parts.adversarial import GanSettings
from zslpipe.parts.feature_gan import FeatureGan, GanSizes
from zslpipe.parts.generator import Output
from zslpipe.parts.generator_head import GeneratorHead, M
from zslpipe.parts.head import register
from zslpipe.parts.problem import Problem
from zslpipe.parts.settings import NonNegative, Positive
from zslpipe.parts.task import Task
from zslpipe.training import Stage
from zslpipe.training.placed import Placed


@dataclass
class VaeganHead(GeneratorHead[M]):
    """VAE and WGAN-GP of features x given semantics a, with a decoder Dec and a feedback module F.

        L_D = gamma ( E D(x^, a) - E D(x, a) + lambda E (|grad_x D(x', a)| - 1)^2 ),   x' between x and x^
        L_G = L(x^, x) + KL(E(x, a) || N(0, I)) - gamma E D(x^, a) + weight R(Dec(x^), a)
        x^  = G(z, a), or with feedback G(z, a; a1 F(h)) with h the hidden vectors of Dec(G(z, a))

    L is |x^ - x|^2 / 2 (features=standardised) or the paper's binary cross-entropy (features=range). Dec learns
    R(Dec(x), a) on real features. The classifier reads [x; Dec(x); h].

    Args:
        adaptive_penalty: multiply lambda by 1.1 after critic steps with a mean penalty above 1.05, divide it by 1.1
            after those below 1.001, as the released code does.
        encoded_noise: z of x^ from the encoder; otherwise N(0, I).
        reconstruction: R, the l1 error of the paper or the "cubic" sum |d|^3 / |d| of the released code.
        reconstruction_weight: of R.
        feedback, synthesis_amount: a1 in training, a2 when features are synthesised.
        feedback_rate, decoder_rate: learning rates of F and Dec.
        freeze_decoder: leave Dec as it is in steps of the generator.
    """

    adaptive_penalty: bool = False
    encoded_noise: bool = True
    reconstruction: Literal["cubic", "l1"] = "cubic"
    reconstruction_weight: NonNegative = 0.01
    feedback: NonNegative = 1.0
    synthesis_amount: NonNegative = 1.0
    feedback_rate: Positive = 1e-4
    decoder_rate: Positive = 1e-3
    freeze_decoder: bool = False

    def sizes(self, width: int, attributes: int) -> GanSizes:
        output: Output = "linear" if self.features == "standardised" else "sigmoid"
        latent = self.latent or attributes
        return GanSizes(width, attributes, latent, self.hidden, output=output, unit_length=self.unit_length)

    def settings_of_gan(self) -> GanSettings:
        return GanSettings(**{name: getattr(self, name) for name in GanSettings.__annotations__})

    @property
    def synthesis_feedback(self) -> float:
        return self.synthesis_amount


@register("tf-vaegan")
@dataclass
class TfVaegan(VaeganHead[FeatureGan]):
    __doc__ = VaeganHead.__doc__

    only_in_training: ClassVar[tuple[str, ...]] = ("encoder.", "critic.")

    def build(self, problem: Problem) -> FeatureGan:
        return FeatureGan(self.sizes(problem.width("global"), problem.attributes), self.penalty_weight)

    def gan(self, module: FeatureGan) -> FeatureGan:
        return module

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        yield self.generator_stage(rows, labels, task)
