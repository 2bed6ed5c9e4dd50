"""The loop: exact resuming between any two steps, repeatable numbers, and no NaN ever kept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from zslpipe.errors import ZslpipeError
from zslpipe.training import (
    At,
    Checkpoint,
    Descent,
    OwnRandom,
    Shuffled,
    Stage,
    checkpoint_for,
    checkpoints,
    train,
)


class Stop(Exception):
    """Stands for whatever ends a training."""


class Problem:
    """A small regression with dropout (so that random states matter) and a buffer that counts steps."""

    def __init__(self, optimiser: str = "adam", seed: int = 0) -> None:
        self.random = OwnRandom(seed)
        with self.random.active():
            self.module = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.3), nn.BatchNorm1d(8), nn.Linear(8, 1))
        make = {"adam": torch.optim.Adam, "sgd": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)}[optimiser]
        self.optimiser = make(self.module.parameters(), lr=0.01)  # type: ignore[operator]
        rng = torch.Generator().manual_seed(1)
        self.x, self.y = torch.randn(50, 5, generator=rng), torch.randn(50, 1, generator=rng)
        self.steps = 0

    def terms(self, index: object, at: At) -> dict[str, Tensor]:
        self.steps += 1
        return {"mse": (self.module(self.x[index]) - self.y[index]).square().mean()}

    def train(
        self,
        epochs: int = 4,
        checkpoint: Checkpoint | None = None,
        terms: Callable[..., dict[str, Tensor]] | None = None,
    ) -> Iterator[tuple[int, float, Tensor]]:
        for epoch in train(self.stage(epochs, terms), random=self.random, checkpoint=checkpoint):
            yield epoch.number, epoch.losses["mse"], self.weights()

    def stage(self, epochs: int = 4, terms: Callable[..., dict[str, Tensor]] | None = None) -> Stage:
        learner = Descent(self.module, self.optimiser, terms or self.terms, lambda at: 0.5**at.epoch)
        return Stage("", learner, Shuffled(50, 8, 0), epochs)

    def weights(self) -> Tensor:
        return torch.cat([v.detach().double().ravel() for v in self.module.state_dict().values()])


def stopping_after(problem: Problem, steps: int) -> Callable[..., dict[str, Tensor]]:
    def terms(index: object, at: At) -> dict[str, Tensor]:
        if problem.steps == steps:
            raise Stop
        return problem.terms(index, at)

    return terms


def test_same_seed_same_numbers_and_the_caller_s_random_state_is_untouched() -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    one, two, other = (list(Problem(seed=s).train()) for s in (0, 0, 1))
    assert all(a[1] == b[1] and torch.equal(a[2], b[2]) for a, b in zip(one, two))
    assert not torch.equal(one[-1][2], other[-1][2])
    assert torch.equal(torch.get_rng_state(), before)


def test_it_learns_and_counts_epochs() -> None:
    epochs = list(Problem().train(30))
    assert [e[0] for e in epochs] == list(range(1, 31))
    assert epochs[-1][1] < epochs[0][1]


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("steps", [1, 6, 7, 8, 20, 27])
def test_resuming_anywhere_ends_at_the_same_weights(tmp_path: Path, optimiser: str, steps: int) -> None:
    whole = list(Problem(optimiser).train())
    stopped = Problem(optimiser)
    with pytest.raises(Stop):
        list(stopped.train(4, Checkpoint(tmp_path, every_s=0), stopping_after(stopped, steps)))
    resumed = Problem(optimiser, seed=9)  # all that it starts from is overwritten
    rest = list(resumed.train(4, Checkpoint(tmp_path, every_s=0)))
    assert stopped.steps + resumed.steps == 4 * 7, "no step is done twice"
    assert torch.equal(rest[-1][2], whole[-1][2])
    assert [r[:2] for r in rest] == [w[:2] for w in whole[-len(rest) :]]


def test_rare_checkpoints_only_cost_steps(tmp_path: Path) -> None:
    whole = list(Problem().train())
    stopped = Problem()
    with pytest.raises(Stop):
        list(stopped.train(4, Checkpoint(tmp_path, every_s=1e9), stopping_after(stopped, 20)))
    assert not list(tmp_path.iterdir())
    assert torch.equal(list(Problem().train(4, Checkpoint(tmp_path, every_s=1e9)))[-1][2], whole[-1][2])
    (told,) = Problem().train(4, Checkpoint(tmp_path))  # a finished training has nothing left to do but to tell its end
    assert told[:2] == whole[-1][:2]
    assert torch.equal(told[2], whole[-1][2])


def test_kept_epochs_are_told_again(tmp_path: Path) -> None:
    whole = list(Problem().train())
    stopped = Problem()
    with pytest.raises(Stop):
        list(stopped.train(4, Checkpoint(tmp_path, 0, keep_epochs=True), stopping_after(stopped, 17)))
    told = list(Problem(seed=5).train(4, Checkpoint(tmp_path, 0, keep_epochs=True)))
    assert [t[:2] for t in told] == [w[:2] for w in whole]
    assert all(torch.equal(t[2], w[2]) for t, w in zip(told, whole))


def test_nan_stops_names_the_place_and_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    problem = Problem()

    def terms(index: object, at: At) -> dict[str, Tensor]:
        losses = problem.terms(index, at)
        return {**losses, "extra": torch.tensor(float("nan" if problem.steps == 10 else 0.0))}

    with pytest.raises(ZslpipeError, match="'extra' became nan in step 3 of epoch 2"):
        list(problem.train(4, Checkpoint(tmp_path, every_s=0), terms))
    assert all(torch.isfinite(v).all() for v in load_file(tmp_path / "latest.safetensors").values())
    assert torch.isfinite(problem.weights()).all()
    resumed = Problem()
    assert torch.equal(list(resumed.train(4, Checkpoint(tmp_path, every_s=0)))[-1][2], list(Problem().train())[-1][2])
    assert resumed.steps == 28 - 9


def test_weights_that_diverged_are_not_saved(tmp_path: Path) -> None:
    problem = Problem()
    checkpoint = Checkpoint(tmp_path)
    learner = problem.stage().learner
    checkpoint.save(learner, problem.random, {"epoch": 1})
    before = (tmp_path / "latest.safetensors").read_bytes()
    with torch.no_grad():
        next(problem.module.parameters())[0, 0] = float("inf")
    with pytest.raises(ZslpipeError, match="contains NaN or infinity"):
        checkpoint.save(learner, problem.random, {"epoch": 2})
    assert (tmp_path / "latest.safetensors").read_bytes() == before


@pytest.mark.parametrize("file", ["latest.safetensors", "epoch-0001.safetensors"])
@pytest.mark.parametrize("damage", ["empty", "nonsense", "cut", "flipped bit", "gone"])
def test_a_damaged_checkpoint_is_computed_again(tmp_path: Path, file: str, damage: str) -> None:
    def trained() -> list[Tensor]:
        return [weights for *_, weights in Problem().train(2, Checkpoint(tmp_path, keep_epochs=True))]

    expected = trained()
    path = tmp_path / file
    content = path.read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    path.write_bytes({"empty": b"", "nonsense": b"nonsense", "cut": content[:-9]}.get(damage, flipped))
    if damage == "gone":
        path.unlink()
    if (file, damage) == ("latest.safetensors", "gone"):  # nothing tells that there was one
        again = trained()
    else:
        with pytest.warns(UserWarning, match=rf"{file} (cannot be read|is damaged).* starts over"):
            again = trained()
    assert len(again) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(again, expected))


def test_checkpoints_are_asked_for_by_context(tmp_path: Path) -> None:
    assert checkpoint_for("abc") is None
    with checkpoints(tmp_path, every_s=5):
        checkpoint = checkpoint_for("abc")
        assert checkpoint is not None
        assert (checkpoint.folder, checkpoint.every_s) == (tmp_path / "abc", 5)
    assert checkpoint_for("abc") is None


VICTIM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_loop import Problem
from zslpipe.training import Checkpoint
import torch
torch.set_num_threads(1)
problem = Problem()
def terms(index, at):
    time.sleep({pause})
    print(problem.steps, flush=True)
    return problem.terms(index, at)
weights = [w for _, _, w in problem.train(8, Checkpoint(Path({folder!r}), every_s=0), terms)]
if weights:
    torch.save(weights[-1], {result!r})
"""


def killed_and_resumed(folder: Path, how: signal.Signals, after: list[float]) -> tuple[Tensor, int]:
    """Train in a process that is killed after each of these seconds of stepping; weights and number of kills.

    It runs on one thread, and what it is compared with has to (`one_thread`): sums over two are rounded otherwise.
    """
    result, kills = folder / "weights.pt", 0
    code = VICTIM.format(tests=str(Path(__file__).parent), folder=str(folder / "c"), result=str(result), pause=0.01)
    for seconds in [*after, None]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
        assert child.stdout is not None
        if seconds is not None and child.stdout.readline():
            time.sleep(seconds)
            child.send_signal(how)
        child.communicate()
        kills += child.returncode == -how
    return torch.load(result, weights_only=True), kills


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_training_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    weights, kills = killed_and_resumed(tmp_path, how, [0.2])
    assert kills == 1
    assert torch.equal(weights, list(Problem().train(8))[-1][2])


@pytest.mark.faults
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("seed", range(6))
def test_many_kills(tmp_path: Path, seed: int) -> None:
    pauses = torch.rand(6, generator=torch.Generator().manual_seed(seed)).mul(0.15).tolist()
    weights, kills = killed_and_resumed(tmp_path, signal.SIGKILL, pauses)
    assert kills >= 3
    assert torch.equal(weights, list(Problem().train(8))[-1][2])
