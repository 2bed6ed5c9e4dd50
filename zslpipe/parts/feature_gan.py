"""The networks of a feature generator as one module, and what is made with them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zslpipe.losses import unit
from zslpipe.parts.generator import Critic, Decoder, Encoder, Feedback, Generator, Output, small_weights

SPREAD_CLASSES, SPREAD_EACH = 32, 8  # synthetic features by which the spread is measured


@dataclass(frozen=True)
class GanSizes:
    """Widths of the networks: features, semantics, latent vectors, hidden layers; and which of them there are.

    Attributes:
        vae: with the encoder.
        decoder: with the semantic decoder and the feedback module.
        output: how the generator ends. Features are standardised for "linear", else scaled to [0, 1].
        unit_length: features are scaled to unit length first.
    """

    width: int
    attributes: int
    latent: int
    hidden: int
    vae: bool = True
    decoder: bool = True
    output: Output = "linear"
    unit_length: bool = False


class FeatureGan(nn.Module):
    """Generator and critic, with or without encoder, decoder and feedback, on scaled features and semantics.

    Buffers: `offset` and `divisor` (D,) of features, `centre` (A,) and `length` of semantics, `penalty_weight` (lambda,
    which TF-VAEGAN adapts), `real_variance` (D,), the mean variance of scaled features within a class.
    """

    offset: Tensor
    divisor: Tensor
    centre: Tensor
    length: Tensor
    penalty_weight: Tensor
    real_variance: Tensor

    def __init__(self, sizes: GanSizes, penalty_weight: float = 10.0) -> None:
        super().__init__()
        width, attributes, latent, hidden = sizes.width, sizes.attributes, sizes.latent, sizes.hidden
        self.sizes = sizes
        self.generator = Generator(width, attributes, latent, hidden, sizes.output)
        self.critic = Critic(width, attributes, hidden)
        self.encoder = Encoder(width, attributes, latent, hidden) if sizes.vae else None
        self.decoder = Decoder(width, attributes, hidden) if sizes.decoder else None
        self.feedback = Feedback(hidden) if sizes.decoder else None
        small_weights(self)
        self.register_buffer("offset", torch.zeros(width))
        self.register_buffer("divisor", torch.ones(width))
        self.register_buffer("centre", torch.zeros(attributes))
        self.register_buffer("length", torch.ones(()))
        self.register_buffer("penalty_weight", torch.tensor(penalty_weight))
        self.register_buffer("real_variance", torch.ones(width))

    def fit_features(self, x: Tensor) -> None:
        """Set offset and divisor by the training features (N, D); one that does not vary is divided by one."""
        x = unit(x) if self.sizes.unit_length else x
        if self.sizes.output == "linear":
            offset, divisor = x.mean(0), x.std(0, correction=0)
        else:
            offset = x.amin(0)
            divisor = x.amax(0) - offset
        self.offset.copy_(offset)
        self.divisor.copy_(torch.where(divisor > 0, divisor, 1.0))

    def fit_semantics(self, semantics: Tensor, length: float) -> None:
        """Centre semantics by those of the training classes (S, A), and give them this length."""
        self.centre.copy_(unit(semantics).mean(0))
        self.length.fill_(length)

    def scaled(self, x: Tensor) -> Tensor:
        """Features (B, D) as the networks read and make them."""
        x = unit(x) if self.sizes.unit_length else x
        return (x - self.offset) / self.divisor

    def unscaled(self, x: Tensor) -> Tensor:
        """The inverse of `scaled`, but for the length of features."""
        return x * self.divisor + self.offset

    def conditions(self, semantics: Tensor) -> Tensor:
        """a (C, A) as the networks read them; divided by `length`, they are what the decoder is to find."""
        return unit(unit(semantics) - self.centre) * self.length

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.sizes.latent, device=self.offset.device)

    def make(self, z: Tensor, a: Tensor, amount: float = 0.0) -> Tensor:
        """G(z, a), with `amount` times the feedback to what it makes without."""
        hidden = self.generator.start(z, a)
        if not amount:
            return self.generator.finish(hidden)
        with torch.no_grad():
            first = self.generator.finish(hidden)
        return self.improve(hidden, first, amount)

    def improve(self, hidden: Tensor, first: Tensor, amount: float) -> Tensor:
        """The second pass of G for hidden vectors (B, h), with feedback to its first pass (B, D)."""
        assert self.decoder is not None
        assert self.feedback is not None
        with torch.no_grad():
            decoded = self.decoder(first)[1]
        return self.generator.finish(hidden + amount * self.feedback(decoded))

    def described(self, x: Tensor) -> Tensor:
        """The classifier's input for scaled features: [x; Dec(x); hidden vectors of Dec], or x without a decoder."""
        if self.decoder is None:
            return x
        semantics, hidden = self.decoder(x)
        return torch.cat([x, semantics, hidden.float()], 1)

    @torch.no_grad()
    def variance(self, a: Tensor, amount: float = 0.0) -> Tensor:
        """(D,) mean variance of synthetic features within the classes a (C, A), with `amount` times the feedback."""
        some = a[torch.linspace(0, len(a) - 1, SPREAD_CLASSES, device=a.device).long().unique()]
        made = self.make(self.noise(SPREAD_EACH * len(some)), some.repeat_interleave(SPREAD_EACH, 0), amount)
        return made.float().view(len(some), SPREAD_EACH, -1).var(1).mean(0)

    @torch.no_grad()
    def spread(self, a: Tensor) -> Tensor:
        """Standard deviation of synthetic features within the classes a (C, A), as a share of that of real ones."""
        return self.variance(a).sqrt().mean() / self.real_variance.sqrt().mean()
