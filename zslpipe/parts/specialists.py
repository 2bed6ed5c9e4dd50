"""Copies of a backbone's last stage that specialise: weighted channel by channel, switched on or off as a whole."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.parts.fine_tuning import FineTuningSettings
from zslpipe.parts.networks import model_of
from zslpipe.parts.problem import Problem

if TYPE_CHECKING:  # imports timm
    from zslpipe.backbones.tail_taps import TailTaps


class Specialists(nn.Module):
    """Semantics a_s (B, A) predicted from trunk rows (B, H, W, D') by N copies of the tail.

        e_i   = tail_i(trunk)                                 (B, K)
        w_i   = sigmoid(f_b,i([e_i, e_g]))                    (B, K) instance-level weights, if `weighing`
        e^d_i = sigma(s w^d_i) (w_i * e_i)                    (B, K) dataset-level gates
        a_s   = f_s([e^d_1, ..., e^d_N])

    While the copies are `untrained`, e_i is e_g itself, and training does not run them.

    In training s is `sharpness`; in evaluation it is `s_max`, or the gates are 0 and 1 (`binary`), and the copies whose
    gate is 0 are not run at all (`prune`).

    Args:
        problem: with the taps `trunk` and `global` (e_g).
        settings: of the trained layers.
        modules: N.
        hidden: width of a layer in each f_b,i, 0 for none.
        weighed: whether there are instance-level weights.
        gated: whether there are gates.
        s_max: see above.
        binary: see above.
    """

    gates: nn.Parameter

    def __init__(
        self,
        problem: Problem,
        settings: FineTuningSettings,
        modules: int,
        hidden: int,
        weighed: bool,
        gated: bool,
        s_max: float,
        binary: bool,
    ) -> None:
        super().__init__()
        height, width, channels = problem.taps["trunk"].shape
        example = torch.zeros(1, channels, height, width)
        tails = [self._tail(problem, settings, example) for _ in range(modules)]
        self.tails = nn.ModuleList(tails)
        self.out: int = tails[0].shapes["global"][0]  # K
        self.weighers = nn.ModuleList(_layers(self.out + problem.width("global"), hidden, self.out) for _ in tails)
        self.gates = nn.Parameter(torch.randn(modules), requires_grad=gated)
        self.readout = nn.Linear(modules * self.out, problem.attributes)
        self.gated, self.s_max, self.sharpness, self.binary = gated, s_max, s_max, binary
        self.weighing, self.prune, self.untrained = weighed, True, False
        self.fixed: list[float] = []  # the gates as numbers, for graphs

    @staticmethod
    def _tail(problem: Problem, settings: FineTuningSettings, example: Tensor) -> "TailTaps":
        from zslpipe.backbones import split
        from zslpipe.backbones.tail_taps import TailTaps

        _, tail = split(model_of(problem.backbone, pretrained=False))
        return TailTaps(tail, ("global",), example, settings.batch_norm == "frozen", settings.recompute)

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Give every copy the weights of one tail, which may have more layers."""
        for tail in self.tails:
            tail.load_state_dict({name: state[name] for name in tail.state_dict()})

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return self.with_weights(inputs)[0]

    def with_weights(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """a_s, and the weights w (B, N', K) of the copies that were run; None unless they are weighed."""
        gates: Tensor | list[float] = self.fixed or self.opened()
        values = gates.tolist() if isinstance(gates, Tensor) else gates
        running = [i for i, gate in enumerate(values) if gate or self.training or not self.prune]
        trunk, shared = inputs["trunk"].permute(0, 3, 1, 2), inputs["global"]
        embedded, weights = [], []
        for i in running:
            e = shared if self.training and self.untrained else self.tails[i](trunk)[0]
            if self.weighing:
                weights.append(torch.sigmoid(self.weighers[i](torch.cat([e, shared], 1))))
                e = weights[-1] * e
            embedded.append(gates[i] * e)
        columns = self.readout.weight.unflatten(1, (-1, self.out))[:, running].flatten(1)
        predicted = F.linear(torch.cat(embedded, 1), columns, self.readout.bias)
        return predicted, torch.stack(weights, 1) if weights else None

    def opened(self) -> Tensor:
        """(N,) how far each gate is open."""
        if not self.gated:
            return torch.ones_like(self.gates)
        if self.training:
            return torch.sigmoid(self.sharpness * self.gates)
        if self.binary:  # the most open one stays if none is more than half open
            return ((self.gates > 0) | (self.gates == self.gates.max())).float()
        return torch.sigmoid(self.s_max * self.gates)

    def fix_gates(self) -> None:
        """From now on the gates are numbers instead of tensors, as a graph needs them."""
        self.fixed = self.opened().tolist()

    @property
    def surviving(self) -> int:
        """The number of copies that are run in evaluation."""
        if self.binary and self.gated:
            return int(((self.gates > 0) | (self.gates == self.gates.max())).sum())
        return len(self.tails)


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    first: list[nn.Module] = [nn.Linear(inputs, hidden), nn.ReLU()] if hidden else []
    return nn.Sequential(*first, nn.Linear(hidden or inputs, outputs))
