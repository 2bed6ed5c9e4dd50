"""Learners that are not plain descent: meta-learning, a WGAN, an annealed gate, each killed and resumed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD, Adam, Optimizer

from zslpipe.errors import DivergedError
from zslpipe.training import At, Batches, Checkpoint, Episodes, OwnRandom, Shuffled, Stage, total_of, train

X = torch.randn(60, 6, generator=torch.Generator().manual_seed(0))
LABELS = np.repeat(np.arange(6), 10)


class Meta:
    """GNet's meta-learning in small: a virtual step on one half of an episode, the true step on the other half."""

    def __init__(self) -> None:
        self.module = nn.Linear(6, 2)
        self.optimisers: Mapping[str, Optimizer] = {"outer": SGD(self.module.parameters(), lr=0.1, momentum=0.9)}
        self.targets = torch.stack([X[:, :3].sum(1), X[:, 3:].prod(1)], 1)

    def loss(self, weights: Mapping[str, Tensor], index: np.ndarray) -> Tensor:
        predicted: Tensor = functional_call(self.module, dict(weights), (X[index],))
        return (predicted - self.targets[index]).square().mean()

    def step(self, index: np.ndarray, at: At) -> dict[str, float]:
        weights = dict(self.module.named_parameters())
        inner = self.loss(weights, index[::2])
        slopes = torch.autograd.grad(inner, list(weights.values()), create_graph=True)  # second order
        virtual = {name: w - 0.05 * g for (name, w), g in zip(weights.items(), slopes)}
        total, losses = total_of({"outer": self.loss(virtual, index[1::2])}, at)
        self.optimisers["outer"].zero_grad()
        total.backward()
        self.optimisers["outer"].step()
        return {**losses, "inner": float(inner.detach())}


class Wgan:
    """Five critic steps for each generator step, with an optimiser each and noise from torch's random state."""

    def __init__(self) -> None:
        self.module = nn.ModuleDict({"generator": nn.Linear(3, 6), "critic": nn.Sequential(nn.Linear(6, 8), nn.ReLU())})
        self.module["score"] = nn.Linear(8, 1)
        critic = [*self.module["critic"].parameters(), *self.module["score"].parameters()]
        self.optimisers: Mapping[str, Optimizer] = {
            "critic": Adam(critic, lr=1e-3, betas=(0.5, 0.9)),
            "generator": Adam(self.module["generator"].parameters(), lr=1e-3, betas=(0.5, 0.9)),
        }

    def score(self, x: Tensor) -> Tensor:
        value: Tensor = self.module["score"](self.module["critic"](x))
        return value

    def step(self, index: np.ndarray, at: At) -> dict[str, float]:
        real = X[index]
        fake = self.module["generator"](torch.randn(len(index), 3))
        mixed = torch.lerp(real, fake.detach(), torch.rand(len(index), 1)).requires_grad_()
        (slope,) = torch.autograd.grad(self.score(mixed).sum(), mixed, create_graph=True)
        losses = self.descend(
            "critic",
            {
                "critic": self.score(fake.detach()).mean() - self.score(real).mean(),
                "penalty": 10 * (slope.norm(dim=1) - 1).square().mean(),
            },
            at,
        )
        if (at.epoch * at.steps + at.step) % 5 == 4:
            losses |= self.descend("generator", {"generator": -self.score(fake).mean()}, at)
        return losses

    def descend(self, name: str, terms: Mapping[str, Tensor], at: At) -> dict[str, float]:
        total, losses = total_of(terms, at)
        self.optimisers[name].zero_grad()
        total.backward()
        self.optimisers[name].step()
        return losses


class Gate:
    """A gate sigmoid(s a) whose s grows linearly with the progress of the stage, as BSNet's (eq. 16)."""

    def __init__(self) -> None:
        self.module = nn.Module()
        self.module.gates = nn.Parameter(torch.zeros(6))
        self.module.weights = nn.Parameter(torch.ones(6))
        self.optimisers: Mapping[str, Optimizer] = {"main": Adam(self.module.parameters(), lr=0.05)}
        self.seen: list[float] = []

    def step(self, index: np.ndarray, at: At) -> dict[str, float]:
        sharpness = 1 + 99 * at.progress
        self.seen.append(at.progress)
        open_ = torch.sigmoid(sharpness * self.module.gates)
        predicted = X[index] @ (open_ * self.module.weights)
        total, losses = total_of({"fit": (predicted - X[index, 0]).square().mean(), "open": 0.1 * open_.mean()}, at)
        self.optimisers["main"].zero_grad()
        total.backward()
        self.optimisers["main"].step()
        return losses


LEARNERS = {"meta": Meta, "wgan": Wgan, "gate": Gate}


def stage(name: str, epochs: int = 4) -> tuple[Stage, OwnRandom]:
    random = OwnRandom(0)
    with random.active():
        learner = LEARNERS[name]()
    batches: Batches = Episodes(LABELS, 4, 4, seed=0) if name == "meta" else Shuffled(len(X), 8, 0)
    return Stage(name, learner, batches, epochs, "last" if name == "gate" else "every"), random


VICTIM = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from test_learners import stage
from zslpipe.training import Checkpoint, train
work, random = stage({name!r})
steps, step = 0, work.learner.step
def counted(batch, at):
    global steps
    steps += 1
    if steps == {at}:
        os.kill(os.getpid(), {how})
    return step(batch, at)
work.learner.step = counted
for epoch in train(work, random=random, checkpoint=Checkpoint(Path({folder!r}), every_s=0)):
    pass
"""


def train_and_die(name: str, folder: Path, at: int) -> int:
    """Train in a process that kills itself in a step; its exit code."""
    code = VICTIM.format(
        tests=str(Path(__file__).parent), name=name, folder=str(folder), at=at, how=int(signal.SIGKILL)
    )
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode


@pytest.mark.parametrize("name", LEARNERS)
def test_killed_and_resumed_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    assert train_and_die(name, tmp_path / "killed", 12) == -signal.SIGKILL
    assert train_and_die(name, tmp_path / "killed", 0) == 0
    assert train_and_die(name, tmp_path / "whole", 0) == 0
    killed, whole = (load_file(tmp_path / kind / "latest.safetensors") for kind in ("killed", "whole"))
    assert killed.keys() == whole.keys()
    for key, value in whole.items():
        assert torch.equal(killed[key], value), key


@pytest.mark.parametrize("name", LEARNERS)
def test_they_learn(name: str) -> None:
    work, random = stage(name, 30)
    epochs = list(train(work, random=random))
    loss = {"meta": "outer", "wgan": "penalty", "gate": "fit"}[name]
    assert epochs[-1].losses[loss] < 0.8 * epochs[0].losses[loss]
    assert {e.stage for e in epochs} == {name}


def test_a_term_is_averaged_over_the_steps_that_report_it() -> None:
    work, random = stage("wgan", 1)
    inner, generator = work.learner.step, []

    def recorded(batch: np.ndarray, at: At) -> Mapping[str, float]:
        losses = inner(batch, at)
        generator.extend([losses["generator"]] if "generator" in losses else [])
        return losses

    work.learner.step = recorded  # type: ignore[method-assign]
    (epoch,) = train(work, random=random)
    assert len(generator) == 1
    assert epoch.losses["generator"] == pytest.approx(generator[0])


def test_progress_runs_from_zero_to_one_in_equal_steps() -> None:
    work, random = stage("gate", 3)
    list(train(work, random=random))
    assert isinstance(work.learner, Gate)
    np.testing.assert_allclose(work.learner.seen, np.arange(24) / 24)


def test_a_learner_s_own_nan_is_caught(tmp_path: Path) -> None:
    work, random = stage("gate")
    work.learner.step = lambda batch, at: {"odd": float("nan") if at.epoch else 0.0}  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match="'odd' became nan in step 1 of epoch 2 of stage 'gate'"):
        list(train(work, random=random, checkpoint=Checkpoint(tmp_path)))


def test_a_stage_may_be_resumed_in_the_middle_of_an_epoch() -> None:
    asked: list[tuple[int, int]] = []

    class Counted(Shuffled):
        def epoch(self, number: int, start: int = 0) -> Iterator[np.ndarray]:
            asked.append((number, start))
            return super().epoch(number, start)

    sampler = Counted(10, 3, 0)
    assert [len(b) for b in sampler.epoch(2, 2)] == [3, 1]
    np.testing.assert_array_equal(np.concatenate([*sampler.epoch(2)][2:]), np.concatenate([*sampler.epoch(2, 2)]))
    assert asked == [(2, 2), (2, 0), (2, 2)]
