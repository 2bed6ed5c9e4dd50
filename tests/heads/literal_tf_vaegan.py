"""One iteration of the released TF-VAEGAN, line by line: inputs concatenated, every graph built, every loss apart.

The noise is given, so that it can be compared with the learner. Networks are plain `nn.Sequential`s of [x; a].
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zslpipe.parts.adversarial import GanSettings
from zslpipe.parts.feature_gan import FeatureGan
from zslpipe.parts.generator import Pair


def joined(pair: Pair) -> nn.Linear:
    """One layer of concatenated inputs."""
    layer = nn.Linear(pair.first.in_features + pair.second.in_features, pair.first.out_features)
    layer.weight.data = torch.cat([pair.first.weight.data, pair.second.weight.data], 1)
    layer.bias.data = pair.first.bias.data.clone()
    return layer


def copied(layer: nn.Linear) -> nn.Linear:
    other = nn.Linear(layer.in_features, layer.out_features)
    other.load_state_dict(layer.state_dict())
    return other


@dataclass
class Noise:
    """mix (steps * B, 1), for the critic steps (steps * B, Z), for the generator (B, Z)."""

    mix: Tensor
    critic: Tensor
    generator: Tensor


class LiteralTfVaegan:
    def __init__(self, gan: FeatureGan, settings: GanSettings) -> None:
        assert gan.encoder
        assert gan.decoder
        assert gan.feedback
        self.of, self.lambda1 = settings, float(gan.penalty_weight)
        self.output, self.length = gan.sizes.output, float(gan.length)
        g, e, d, c, f = gan.generator, gan.encoder, gan.decoder, gan.critic, gan.feedback
        self.e1, self.e2 = joined(e.input), copied(e.hidden)
        self.e_mean, self.e_log_variance = copied(e.mean), copied(e.log_variance)
        self.g1, self.g2 = joined(g.input), copied(g.output)
        self.c1, self.c2 = joined(c.input), copied(c.output)
        self.d1, self.d2 = copied(d.input), copied(d.output)
        self.f1, self.f2 = copied(f.input), copied(f.output)
        beta = (0.5, 0.999)

        def adam(layers: list[nn.Linear], rate: float, betas: tuple[float, float] = beta) -> torch.optim.Adam:
            return torch.optim.Adam([p for layer in layers for p in layer.parameters()], rate, betas, foreach=False)

        self.opt_e = adam([self.e1, self.e2, self.e_mean, self.e_log_variance], settings.learning_rate, (0.9, 0.999))
        self.opt_g = adam([self.g1, self.g2], settings.learning_rate)
        self.opt_c = adam([self.c1, self.c2], settings.learning_rate)
        self.opt_d = adam([self.d1, self.d2], settings.decoder_rate)
        self.opt_f = adam([self.f1, self.f2], settings.feedback_rate)
        self.all = [self.opt_e, self.opt_g, self.opt_c, self.opt_d, self.opt_f]

    def net_e(self, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.leaky_relu(self.e2(F.leaky_relu(self.e1(torch.cat([x, a], 1)), 0.2)), 0.2)
        return self.e_mean(hidden), self.e_log_variance(hidden)

    def net_g(self, z: Tensor, a: Tensor, added: Tensor | None = None) -> Tensor:
        hidden = F.leaky_relu(self.g1(torch.cat([z, a], 1)), 0.2)
        out: Tensor = self.g2(hidden if added is None else hidden + self.of.feedback * added)
        return torch.sigmoid(out) if self.output == "sigmoid" else out

    def net_c(self, x: Tensor, a: Tensor) -> Tensor:
        value: Tensor = self.c2(F.leaky_relu(self.c1(torch.cat([x, a], 1)), 0.2))
        return value

    def net_d(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.leaky_relu(self.d1(x), 0.2)
        out = self.d2(hidden)
        return out / out.norm(dim=1, keepdim=True), hidden

    def net_f(self, hidden: Tensor) -> Tensor:
        return F.leaky_relu(self.f2(F.leaky_relu(self.f1(hidden), 0.2)), 0.2)

    def reconstruct(self, z: Tensor, a: Tensor, feedback: bool) -> Tensor:
        x = self.net_g(z, a)
        if not feedback:
            return x
        return self.net_g(z, a, self.net_f(self.net_d(x)[1].detach()))

    def weighted_l1(self, made: Tensor, a: Tensor) -> Tensor:
        """The released WeightedL1, or the paper's l1; the decoder finds semantics of unit length."""
        a = a / self.length
        if self.of.reconstruction == "l1":
            return (made - a).abs().sum() / len(a)
        weight = (made - a) ** 2
        weight = weight / weight.sum(1).sqrt().unsqueeze(1).expand(weight.size(0), weight.size(1))
        loss = weight * (made - a).abs()
        return loss.sum() / loss.size(0)

    def zero(self) -> None:
        for optimiser in self.all:
            optimiser.zero_grad()

    def step(self, x: Tensor, a: Tensor, noise: Noise, feedback: bool) -> dict[str, float]:
        """x (steps * B, D), scaled, with semantics a (steps * B, A)."""
        of = self.of
        size = len(x) // of.critic_steps
        found: dict[str, list[float]] = {"decoder": [], "critic": [], "penalty": []}
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            self.critic_step(x[part], a[part], noise.mix[part], noise.critic[part], feedback, found)
        losses = {k: sum(v) / len(v) for k, v in found.items()}
        if of.adaptive_penalty:
            if losses["penalty"] > 1.05:
                self.lambda1 *= 1.1
            elif losses["penalty"] < 1.001:
                self.lambda1 /= 1.1
        return losses | self.generator_step(x[-size:], a[-size:], noise.generator, feedback)

    def critic_step(
        self, x: Tensor, a: Tensor, mix: Tensor, eps: Tensor, feedback: bool, found: dict[str, list[float]]
    ) -> None:
        of = self.of
        self.zero()
        recons = self.weighted_l1(self.net_d(x)[0], a)
        (of.reconstruction_weight * recons).backward()
        self.opt_d.step()
        self.zero()
        real = self.net_c(x, a).mean()
        (-of.critic_weight * real).backward()
        mean, log_variance = self.net_e(x, a)
        fake = self.reconstruct(eps * torch.exp(0.5 * log_variance) + mean, a, feedback)
        fake_value = self.net_c(fake.detach(), a).mean()
        (of.critic_weight * fake_value).backward()
        mixed = (mix * x + (1 - mix) * fake.detach()).requires_grad_()
        value = self.net_c(mixed, a)
        (slope,) = torch.autograd.grad(value, mixed, torch.ones_like(value), create_graph=True, retain_graph=True)
        penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
        (of.critic_weight * self.lambda1 * penalty).backward()
        self.opt_c.step()
        found["decoder"].append(recons.item())
        found["critic"].append((real - fake_value).item())
        found["penalty"].append(penalty.item())

    def generator_step(self, x: Tensor, a: Tensor, eps: Tensor, feedback: bool) -> dict[str, float]:
        of = self.of
        self.zero()
        for layer in (self.c1, self.c2):
            layer.requires_grad_(False)
        mean, log_variance = self.net_e(x, a)
        made = self.reconstruct(eps * torch.exp(0.5 * log_variance) + mean, a, feedback)
        if self.output == "sigmoid":
            error = F.binary_cross_entropy(made + 1e-12, x, reduction="sum") / len(x)
        else:
            error = 0.5 * F.mse_loss(made, x, reduction="sum") / len(x)
        kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp()) / len(x)
        adversarial = -self.net_c(made, a).mean()
        recons = self.weighted_l1(self.net_d(made)[0], a)
        (error + kl + of.critic_weight * adversarial + of.reconstruction_weight * recons).backward()
        self.opt_e.step()
        self.opt_g.step()
        if feedback:
            self.opt_f.step()
        if not of.freeze_decoder:
            self.opt_d.step()
        for layer in (self.c1, self.c2):
            layer.requires_grad_(True)
        values = {"kl": kl, "reconstruction": error, "generator": adversarial, "decoder of fake": recons}
        return {name: value.item() for name, value in values.items()}
