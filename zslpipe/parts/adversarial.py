"""The training of a feature generator: critic steps, then a step of encoder, generator, decoder and feedback.

The loop follows the released TF-VAEGAN, but nothing is computed twice: what the generator makes for all critic steps
comes from one pass without gradients, and a critic step is one pass (see `Critic.compare`).
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from zslpipe.losses import (
    bernoulli_reconstruction,
    cubic_reconstruction,
    gaussian_reconstruction,
    kl_divergence,
    l1_reconstruction,
)
from zslpipe.parts.feature_gan import FeatureGan
from zslpipe.parts.own_learner import Cast
from zslpipe.training import At, Batch

HIGH, LOW, FACTOR = 1.05, 1.001, 1.1  # the mean penalty at which its weight grows or shrinks, and by how much
BETAS = (0.5, 0.999)

Extra = Callable[[Tensor, Tensor], Mapping[str, Tensor]]  # made features (B, D) and labels (B,) to weighted terms


@dataclass(frozen=True)
class GanSettings:
    """See `GeneratorHead`."""

    critic_steps: int = 5
    critic_weight: float = 10.0
    adaptive_penalty: bool = True
    encoded_noise: bool = True
    reconstruction: str = "cubic"
    reconstruction_weight: float = 0.01
    feedback: float = 1.0
    learning_rate: float = 1e-4
    feedback_rate: float = 1e-5
    decoder_rate: float = 1e-4
    freeze_decoder: bool = False


class Adversarial:
    """The learner. One step takes `critic_steps` batches; the last one also serves for the generator.

    In the second half of an epoch the feedback is on, if there is any.

    Args:
        gan: what is trained.
        settings: weights and learning rates.
        conditions: (S, A) `FeatureGan.conditions` of the classes that labels index.
        extra: further loss terms of the generator.
        cast: context of the forward passes.
    """

    def __init__(
        self,
        gan: FeatureGan,
        settings: GanSettings,
        conditions: Tensor,
        extra: Extra | None = None,
        cast: Cast = nullcontext,
    ) -> None:
        self.module, self.settings, self.conditions, self.extra, self.cast = gan, settings, conditions, extra, cast
        self.semantic_error = cubic_reconstruction if settings.reconstruction == "cubic" else l1_reconstruction
        self.feature_error = gaussian_reconstruction if gan.sizes.output == "linear" else bernoulli_reconstruction
        adam = partial(Adam, lr=settings.learning_rate, betas=BETAS, fused=True)
        makers: list[dict[str, Any]] = [{"params": list(gan.generator.parameters())}]
        if gan.encoder is not None:
            makers.append({"params": list(gan.encoder.parameters()), "betas": (0.9, 0.999)})
        if gan.feedback is not None:
            makers.append({"params": list(gan.feedback.parameters()), "lr": settings.feedback_rate})
        self.optimisers: dict[str, Optimizer] = {"critic": adam(gan.critic.parameters()), "generator": adam(makers)}
        if gan.decoder is not None:
            self.optimisers["decoder"] = adam(gan.decoder.parameters(), lr=settings.decoder_rate)

    def step(self, batch: Batch, at: At) -> dict[str, float]:
        gan, of = self.module, self.settings
        x, a = gan.scaled(batch.inputs["global"]), self.conditions[batch.labels]
        amount = of.feedback if gan.feedback is not None and 2 * at.step >= at.steps else 0.0
        size = len(x) // of.critic_steps
        mix = torch.rand(len(x), 1, device=x.device)
        with torch.no_grad(), self.cast():
            hidden = gan.generator.start(self.latent(x, a), a)
            first = gan.generator.finish(hidden)
        parts = zip(repeat(amount), *(v.split(size) for v in (x, a, hidden, first, mix)))
        found = [self.critic_step(*part) for part in parts]
        losses = {name: torch.stack([f[name] for f in found]).mean() for name in found[0]}
        if of.adaptive_penalty:
            self.adapt(losses["penalty"])
        last = slice(len(x) - size, None)
        losses |= self.generator_step(x[last], a[last], batch.labels[last], amount)
        if at.step == at.steps - 1:
            losses["spread"] = gan.spread(self.conditions)
        return dict(zip(losses, torch.stack([v.detach().float() for v in losses.values()]).tolist()))

    def latent(self, x: Tensor, a: Tensor) -> Tensor:
        """z (B, Z) of the critic's fake features: from the encoder, or noise."""
        encoder = self.module.encoder
        if encoder is None or not self.settings.encoded_noise:
            return self.module.noise(len(x))
        mean, log_variance = encoder(x, a)
        return mean + (0.5 * log_variance).exp() * self.module.noise(len(x))

    def critic_step(
        self, amount: float, x: Tensor, a: Tensor, hidden: Tensor, first: Tensor, mix: Tensor
    ) -> dict[str, Tensor]:
        """One step of the decoder on real features, one of the critic on real and fake ones."""
        gan, of, losses = self.module, self.settings, {}
        if gan.decoder is not None:
            with self.cast():
                losses["decoder"] = self.semantic_error(gan.decoder(x)[0], a / gan.length)
            self.descend("decoder", of.reconstruction_weight * losses["decoder"])
        with self.cast():
            with torch.no_grad():
                fake = gan.improve(hidden, first, amount) if amount else first
            real_value, fake_value, penalty = gan.critic.compare(x, fake.float(), a, mix)
        losses |= {"critic": real_value - fake_value, "penalty": penalty}
        self.descend("critic", of.critic_weight * (gan.penalty_weight * penalty - losses["critic"]))
        return losses

    def adapt(self, penalty: Tensor) -> None:
        """TF-VAEGAN's rule for lambda."""
        weight = self.module.penalty_weight
        weight *= torch.where(penalty > HIGH, FACTOR, torch.where(penalty < LOW, 1 / FACTOR, 1.0))

    def generator_step(self, x: Tensor, a: Tensor, labels: Tensor, amount: float) -> dict[str, Tensor]:
        """One step of encoder, generator, decoder and (with feedback) the feedback module."""
        gan, of = self.module, self.settings
        losses: dict[str, Tensor] = {}
        terms: dict[str, Tensor] = {}
        gan.critic.requires_grad_(False)
        with self.cast():
            if gan.encoder is not None:
                mean, log_variance = gan.encoder(x, a)
                z = mean + (0.5 * log_variance).exp() * gan.noise(len(x))
                made = gan.make(z, a, amount)
                losses["kl"] = kl_divergence(mean, log_variance)
                losses["reconstruction"] = self.feature_error(made, x)
                terms |= losses
            if gan.encoder is None or not of.encoded_noise:
                made = gan.make(gan.noise(len(x)), a, amount)
            losses["generator"] = -gan.critic(made, a).float().mean()
            terms["generator"] = of.critic_weight * losses["generator"]
            if gan.decoder is not None:
                losses["decoder of fake"] = self.semantic_error(gan.decoder(made)[0], a / gan.length)
                terms["decoder"] = of.reconstruction_weight * losses["decoder of fake"]
            if self.extra is not None:
                more = dict(self.extra(made, labels))
                losses, terms = losses | more, terms | more
        self.descend("generator", torch.stack(list(terms.values())).sum())
        if gan.decoder is not None and not of.freeze_decoder:
            self.optimisers["decoder"].step()
        gan.critic.requires_grad_(True)
        return losses

    def descend(self, name: str, loss: Tensor) -> None:
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[name].step()
