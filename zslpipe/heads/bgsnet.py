"""BGSNet (Li et al., "Balancing Generalization and Specialization in Zero-shot Learning")."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.heads.bsnet import SpecialistHead
from zslpipe.heads.gnet import MetaHead, Predictor, set_scale
from zslpipe.parts.head import register
from zslpipe.parts.networks import pretrained_tail
from zslpipe.parts.problem import Problem
from zslpipe.parts.settings import Count
from zslpipe.parts.specialists import Specialists
from zslpipe.parts.task import Inputs, Task
from zslpipe.training import At, Batch, Stage
from zslpipe.training.placed import Placed


class Both(nn.Module):
    """a_g + a_s (B, A)."""

    def __init__(self, generalist: Predictor, specialists: Specialists) -> None:
        super().__init__()
        self.generalist, self.specialists = generalist, specialists

    def forward(self, inputs: Inputs) -> Tensor:
        predicted: Tensor = self.generalist(inputs) + self.specialists(inputs)
        return predicted


@register("bgsnet")
@dataclass
class BGSNet(SpecialistHead[Both], MetaHead[Both]):
    """Predicts semantics a_g + a_s by a generalist (see gnet) and specialists (see bsnet), which learn separately.

    Stages: "base" (`base_epochs`) and "meta" (`meta_epochs`) train the generalist, the others the specialists. With
    mode=tail or end-to-end, "base" also fine-tunes the backbone, which then stays as it is: the specialists start as
    copies of its last stage. This is the paper's order of training.
    """

    base_epochs: Count = 20
    meta_epochs: Count = 10

    def build(self, problem: Problem) -> Both:
        return Both(Predictor(problem.width("global"), problem.attributes), self.specialists_of(problem))

    def prepare(self, module: Both, rows: Placed, task: Task) -> None:
        set_scale(module.generalist, rows)
        module.specialists.start_from(pretrained_tail(self.problem_.backbone))

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        module, tuning = self.module_, self.tuning_
        generalist, specialists = module.generalist, module.specialists

        def loss(batch: Batch, _: At) -> dict[str, Tensor]:
            scores = generalist(batch.inputs).float() @ task.seen_semantics.T
            return {"ce": F.cross_entropy(scores, batch.labels)}

        learnt = [*generalist.parameters(), *(tuning.tail.parameters() if tuning else ())]
        yield self.descent("base", rows, labels, task, self.base_epochs, "none", loss=loss, parameters=learnt)
        if self.meta != "none":
            yield self.meta_stage(generalist, rows, labels, task, self.meta_epochs, "none")
        if tuning:
            specialists.start_from(tuning.tail.state_dict())
        for stage in self.specialist_stages(specialists, rows, labels, task):
            yield replace(stage, name=stage.name or "specialists")

    def record(self) -> dict[str, Any]:
        return {**super().record(), **self.survivors(self.module_.specialists)}
