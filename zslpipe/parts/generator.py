"""The networks of feature generators: conditional VAE, WGAN critic, semantic decoder and feedback.

x (B, D) are features, a (B, A) semantics, z (B, Z) latent vectors, h the hidden width. Every network has one hidden
layer. Layers that read two inputs keep the weights of each apart: products with semantics are then shared by real and
generated features, and the slope of the critic needs only the weights of the features.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from zslpipe.losses import penalty_of

Output = Literal["linear", "sigmoid", "relu"]
OUTPUTS = {"linear": nn.Identity(), "sigmoid": nn.Sigmoid(), "relu": nn.ReLU()}
SLOPE = 0.2  # of LeakyReLU
STD = 0.02  # of initial weights


class Pair(nn.Module):
    """A linear layer of two inputs."""

    def __init__(self, first: int, second: int, out: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(first, out), nn.Linear(second, out, bias=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        sum_: Tensor = self.first(first) + self.second(second)
        return sum_


class Encoder(nn.Module):
    """E: [x; a] -> h -> 2Z -> mean and log-variance (B, Z)."""

    def __init__(self, width: int, attributes: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.input, self.hidden = Pair(width, attributes, hidden), nn.Linear(hidden, 2 * latent)
        self.mean, self.log_variance = nn.Linear(2 * latent, latent), nn.Linear(2 * latent, latent)

    def forward(self, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        hidden = leaky_relu(self.hidden(leaky_relu(self.input(x, a), SLOPE)), SLOPE)
        return self.mean(hidden), self.log_variance(hidden)


class Generator(nn.Module):
    """G: [z; a] -> h [+ feedback] -> x."""

    def __init__(self, width: int, attributes: int, latent: int, hidden: int, output: Output = "linear") -> None:
        super().__init__()
        self.input, self.output = Pair(latent, attributes, hidden), nn.Linear(hidden, width)
        self.last = OUTPUTS[output]

    def forward(self, z: Tensor, a: Tensor) -> Tensor:
        return self.finish(self.start(z, a))

    def start(self, z: Tensor, a: Tensor) -> Tensor:
        """Hidden vectors (B, h), the same with and without feedback."""
        return leaky_relu(self.input(z, a), SLOPE)

    def finish(self, hidden: Tensor) -> Tensor:
        x: Tensor = self.last(self.output(hidden))
        return x


class Critic(nn.Module):
    """D: [x; a] -> h -> one value, which is to be large for real features."""

    def __init__(self, width: int, attributes: int, hidden: int) -> None:
        super().__init__()
        self.input, self.output = Pair(width, attributes, hidden), nn.Linear(hidden, 1)

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        value: Tensor = self.output(leaky_relu(self.input(x, a), SLOPE))
        return value.squeeze(-1)

    def compare(self, real: Tensor, fake: Tensor, a: Tensor, mix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean value of real and of fake features (B, D), and the gradient penalty at mix * real + (1 - mix) * fake.

        One pass and no second derivative: what enters the hidden layer is affine in x, so that of the mixed features
        needs no product of its own. Where it is u, the slope is grad_x D = (w * LeakyReLU'(u)) W, with W the weights
        of the features and w those of the output; the derivative of LeakyReLU' is zero.
        """
        both = self.input.first(torch.cat([real, fake])).view(2, *real.shape[:1], -1) + self.input.second(a)
        values = self.output(leaky_relu(both, SLOPE)).squeeze(-1).float().mean(1)
        with torch.no_grad():
            open_ = torch.where(torch.lerp(both[1], both[0], mix.to(both.dtype)) > 0, 1.0, SLOPE)
        slope = (open_ * self.output.weight) @ self.input.first.weight
        return values[0], values[1], penalty_of(slope)


class Decoder(nn.Module):
    """Dec: x -> h -> unit-length semantics; the hidden vectors (B, h) are features as well."""

    def __init__(self, width: int, attributes: int, hidden: int) -> None:
        super().__init__()
        self.input, self.output = nn.Linear(width, hidden), nn.Linear(hidden, attributes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Semantics (B, A) and hidden vectors (B, h)."""
        hidden = leaky_relu(self.input(x), SLOPE)
        return normalize(self.output(hidden).float(), dim=1), hidden


class Feedback(nn.Module):
    """F: hidden vectors of the decoder (B, h) -> what is added to the hidden vectors of the generator (B, h)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.input, self.output = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        return leaky_relu(self.output(leaky_relu(self.input(hidden), SLOPE)), SLOPE)


def small_weights(module: nn.Module) -> None:
    """Initialise every linear layer: weights N(0, 0.02), biases zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, STD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
