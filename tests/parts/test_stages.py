"""Heads of several stages: resumable, named in progress and curves, with defined epochs at which selection may stop."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zslpipe.heads import load_head
from zslpipe.parts.head import HEADS
from zslpipe.parts.problem import Problem
from zslpipe.parts.settings import Count
from zslpipe.parts.task import Inputs, Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.progress import show_progress
from zslpipe.training import At, Batch, Descent, RowBatches, Shuffled, Stage, checkpoints
from zslpipe.training.placed import Placed

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(5), 8)
SEMANTICS = RNG.uniform(size=(7, 4)).astype(np.float32)
FEATURES = {"global": (SEMANTICS[LABELS] @ RNG.normal(size=(4, 6)) + 0.1 * RNG.normal(size=(40, 6))).astype(np.float32)}
LAST = 3


class Interrupted(Exception):
    pass


class Net(nn.Module):
    def __init__(self, width: int, attributes: int) -> None:
        super().__init__()
        self.embed = nn.Linear(width, attributes)
        self.gate = nn.Parameter(torch.zeros(attributes))

    def forward(self, x: Tensor) -> Tensor:
        predicted: Tensor = self.embed(x) * torch.sigmoid(self.gate)
        return predicted


@dataclass
class TwoStages(TorchHead[Net]):
    """Learns an embedding, then gates of its outputs that are annealed over the stage's length."""

    name = "two-stages"
    batch: Count = 8
    embed_epochs: Count = 2
    epochs: Count = LAST
    device: str = "cpu"
    steps_left = 10**9  # not a hyper-parameter: no annotation

    def build(self, problem: Problem) -> Net:
        return Net(problem.width("global"), problem.attributes)

    def terms(self, module: Net, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise Interrupted
        return {"error": (module(inputs["global"]) - task.seen_semantics[labels]).square().mean()}

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        module = self.module_

        def terms(batch: Batch, at: At) -> dict[str, Tensor]:
            return self.terms(module, batch.inputs, batch.labels, task)

        def annealed(batch: Batch, at: At) -> dict[str, Tensor]:
            return terms(batch, at) | {"gates": at.progress * torch.sigmoid(module.gate).mean()}

        batches = RowBatches(rows, labels, Shuffled(len(labels), self.batch, self.seed))
        optimiser = self._optimiser(module.embed.parameters())
        yield Stage("embed", Descent(module, optimiser, terms), batches, self.embed_epochs, "none")
        with torch.no_grad():  # depends on what the first stage learnt, and on the random state after it
            module.gate.copy_(module.embed.weight.mean(1) + 0.01 * torch.randn(len(module.gate)))
        gates = Descent(module, self._optimiser([module.gate]), annealed)
        yield Stage("gate", gates, batches, self.epochs, "last")

    def scores(self, module: Net, inputs: Inputs, encoded: Tensor) -> Tensor:
        return -torch.cdist(module(inputs["global"]), encoded)


def scores(head: TwoStages) -> np.ndarray:
    return head.decision_function(FEATURES, SEMANTICS)


def test_curves_are_kept_by_stage() -> None:
    head = TwoStages().fit(FEATURES, LABELS, SEMANTICS)
    curves = head.record()["losses"]
    assert {name: len(values) for name, values in curves.items()} == {
        "embed: error": 2,
        "gate: error": LAST,
        "gate: gates": LAST,
    }


@pytest.mark.parametrize("steps", [3, 7, 10, 14, 24])
def test_interrupted_in_any_stage(tmp_path: Path, steps: int) -> None:
    whole = TwoStages().fit(FEATURES, LABELS, SEMANTICS)
    with checkpoints(tmp_path, every_s=0):
        stopped = TwoStages()
        stopped.steps_left = steps
        with pytest.raises(Interrupted):
            stopped.fit(FEATURES, LABELS, SEMANTICS)
        resumed = TwoStages()
        resumed.steps_left = 5 * (2 + LAST) - steps  # no step is taken twice
        resumed.fit(FEATURES, LABELS, SEMANTICS)
    np.testing.assert_array_equal(scores(resumed), scores(whole))
    assert resumed.record() == whole.record()
    assert {p.name for p in next(tmp_path.iterdir()).iterdir()} == {"embed", "gate"}


def test_a_stage_whose_schedule_depends_on_its_length_offers_only_its_last_epoch() -> None:
    candidates = [{"epochs": 1}, {"epochs": LAST}]
    offered = [
        (setting, scores(fitted).copy())  # type: ignore[arg-type]
        for setting, fitted in TwoStages().fit_candidates(FEATURES, LABELS, SEMANTICS, candidates=candidates)
    ]
    assert [s for s, _ in offered] == [{"epochs": LAST}, {"epochs": 1}]
    for setting, found in offered:
        np.testing.assert_array_equal(found, scores(TwoStages(**setting).fit(FEATURES, LABELS, SEMANTICS)))


def test_progress_names_the_stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zslpipe.progress.FIRST_LINE_S", 0.0)
    monkeypatch.setattr("zslpipe.progress.BETWEEN_LINES_S", 0.0)
    with show_progress():
        TwoStages().fit(FEATURES, LABELS, SEMANTICS)
    shown = capsys.readouterr().err
    assert "training two-stages, embed: 1/10" in shown
    assert "training two-stages, gate: 15/15" in shown


def test_it_is_saved_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HEADS._things, "two-stages", TwoStages)
    head = TwoStages().fit(FEATURES, LABELS, SEMANTICS)
    head.save(tmp_path)
    np.testing.assert_array_equal(scores(load_head(tmp_path)), scores(head))  # type: ignore[arg-type]
