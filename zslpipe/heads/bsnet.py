"""BSNet: the specialization network of BGSNet (Li et al., "Balancing Generalization and Specialization")."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.losses import diversity
from zslpipe.parts.head import register
from zslpipe.parts.inner_products import InnerProductHead
from zslpipe.parts.networks import pretrained_tail
from zslpipe.parts.problem import Problem
from zslpipe.parts.settings import Count, NonNegative, Positive, Whole
from zslpipe.parts.specialists import Specialists
from zslpipe.parts.task import Task
from zslpipe.training import At, Batch, Stage, Stops
from zslpipe.training.placed import Placed

M = TypeVar("M", bound=nn.Module)


@dataclass
class SpecialistHead(InnerProductHead[M], Generic[M]):
    """A head that trains `Specialists`.

    The paper gives N, s_max and the 100 epochs of the annealing, and says that eta has to be small.

    Args:
        modules: N, copies of the backbone's last stage (the paper: 10).
        hidden: width of a further layer in each f_b, 0 for none.
        diversity: eta, the weight of the diversity loss.
        instance_weights: False for specialists "without instance-level balance".
        gates: False for specialists "without dataset-level balance".
        annealing: False to hold s at s_max.
        s_max: see eq. 16.
        binary: round the gates to 0 and 1 after training, and leave out the modules that are off; False for
            sigmoid(s_max w^d), as the paper has it.
        order: "parallel" trains weights and gates together; "sequential" trains the gates first, for `gate_epochs`.
        gate_epochs: of the first stage of "sequential".
    """

    taps = ("global", "trunk")

    modules: Count = 10
    hidden: Whole = 0
    diversity: NonNegative = 1e-4
    instance_weights: bool = True
    gates: bool = True
    annealing: bool = True
    s_max: Positive = 5.0
    binary: bool = True
    order: Literal["parallel", "sequential"] = "parallel"
    gate_epochs: Count = 20

    def specialists_of(self, problem: Problem) -> Specialists:
        balance = self.instance_weights, self.gates
        return Specialists(problem, self, self.modules, self.hidden, *balance, self.s_max, self.binary)

    def graph(self) -> nn.Module:
        graph = super().graph()
        for module in graph.modules():
            if isinstance(module, Specialists):
                module.fix_gates()
        return graph

    def survivors(self, net: Specialists) -> dict[str, Any]:
        """For `record`: how many specialists are run at inference."""
        note = f"{net.surviving} of {self.modules} specialists survive"
        return {"modules": self.modules, "surviving": net.surviving, "notes": [note]}

    def specialist_stages(self, net: Specialists, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        """L_s + eta L_div, in one stage or in two."""
        if self.order == "sequential":
            yield self._specialist_stage("gates", net, rows, labels, task, weighing=False, annealing=self.annealing)
            last = self._specialist_stage("weights", net, rows, labels, task, self.instance_weights, annealing=False)
        else:
            last = self._specialist_stage("", net, rows, labels, task, self.instance_weights, self.annealing)
        yield last

    def _specialist_stage(
        self, name: str, net: Specialists, rows: Placed, labels: Tensor, task: Task, weighing: bool, annealing: bool
    ) -> Stage[Any]:
        net.weighing = weighing
        first = name != "weights"

        def loss(batch: Batch, at: At) -> dict[str, Tensor]:
            net.sharpness = sharpness(at, self.s_max) if annealing else self.s_max
            net.untrained = first and at.epoch < self.warm_up
            predicted, weights = net.with_weights(batch.inputs)
            terms = {"ce": F.cross_entropy(predicted.float() @ task.seen_semantics.T, batch.labels)}
            if weights is not None and self.diversity:
                terms["diversity"] = self.diversity * diversity(weights, at.epoch + 1)
            return terms

        epochs = self.gate_epochs if name == "gates" else self.epochs
        stops: Stops = "none" if name == "gates" else "last" if annealing and self.gates else "every"
        learnt = self._specialist_parameters(net)
        return self.descent(name, rows, labels, task, epochs, stops, loss=loss, parameters=learnt)

    def _specialist_parameters(self, net: Specialists) -> list[dict[str, Any]]:
        tails = list(net.tails.parameters())
        own = {id(p) for p in tails}
        rest = [p for p in net.parameters() if p.requires_grad and id(p) not in own]
        return [{"params": rest}, {"params": tails, "lr": self.learning_rate * self.tail_rate}]


def sharpness(at: At, s_max: float) -> float:
    """s = 1 / s_max + (s_max - 1 / s_max) (eph - 1) / (eph_max - 1), with eph from 1 (eq. 16)."""
    return 1 / s_max + (s_max - 1 / s_max) * at.epoch / (at.epochs - 1) if at.epochs > 1 else s_max


@register("bsnet")
@dataclass
class BSNet(SpecialistHead[Specialists]):
    """Predicts semantics a_s = f_s([e^d_1, ..., e^d_N]) by N specialists, copies of the backbone's last stage.

        w_i   = sigmoid(f_b,i([e_i, e_g]))            instance-level weights (K,) of module i for an image
        e^d_i = sigma(s w^d_i) (w_i * e_i)           dataset-level gate, annealed in s (eq. 16)
        L = CE of <a_s, phi(c)> over the seen classes c + eta L_div(w)

    L_div (`zslpipe.losses.diversity`, eq. 14) leaves each channel to the module with the largest weight. Needs the taps
    `trunk`, on which the copies are trained, and `global` for e_g. All copies start from the backbone's weights; the
    f_b start at random, since equal modules would stay equal. The shared backbone stays as it is in every mode;
    end-to-end adds augmented images.

    The stage "weights" of "sequential" keeps s at s_max and counts the epochs of L_div's margin from 1; the paper does
    not say. Gradients of the gates are not compensated for the annealing.
    """

    def build(self, problem: Problem) -> Specialists:
        return self.specialists_of(problem)

    def prepare(self, module: Specialists, rows: Placed, task: Task) -> None:
        module.start_from(pretrained_tail(self.problem_.backbone))

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        yield from self.specialist_stages(self.module_, rows, labels, task)

    def record(self) -> dict[str, Any]:
        return {**super().record(), **self.survivors(self.module_)}
