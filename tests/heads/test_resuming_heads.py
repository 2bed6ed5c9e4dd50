"""Training a head under `checkpoints`: real kills, complete paths after resuming, no state from other heads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from zslpipe.errors import DivergedError, ZslpipeError
from zslpipe.heads import Attributes, load_head
from zslpipe.heads.attention_net import AttentionNet
from zslpipe.parts.torch_head import TorchHead
from zslpipe.training import checkpoints

SETTINGS = {
    "epochs": 6,
    "width": 8,
    "batch": 8,
    "errors": "cross_batch",
    "device": "cpu",
    "sampling": "episodes",
    "ways": 4,
}


class Store:
    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.labels = np.repeat(np.arange(6), 8)
        self.semantics = rng.uniform(size=(6, 7)).astype(np.float32)
        self.features = {"region": rng.normal(size=(48, 4, 12)).astype(np.float16)}
        self.attributes = Attributes(tuple("abcdefg"), rng.normal(size=(7, 3)).astype(np.float32))

    def fit(self, head: TorchHead) -> TorchHead:
        return head.fit(self.features, self.labels, self.semantics, self.attributes)

    def scores(self, head: TorchHead) -> np.ndarray:
        return head.decision_function(self.features, self.semantics)


class Interrupted(Exception):
    pass


def interrupted(head: TorchHead, steps: int) -> TorchHead:
    """The head, made to fail at a step."""
    terms, taken = head.terms, iter(range(steps))

    def failing(*args: object) -> object:
        if next(taken, None) is None:
            raise Interrupted
        return terms(*args)  # type: ignore[arg-type]

    head.terms = failing  # type: ignore[method-assign, assignment]
    return head


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_fit_goes_on_where_it_stopped(tmp_path: Path, optimiser: str) -> None:
    store = Store()
    uninterrupted = store.fit(AttentionNet(**SETTINGS, optimiser=optimiser))
    whole = store.scores(uninterrupted)
    with checkpoints(tmp_path, every_s=0):
        with pytest.raises(Interrupted):
            store.fit(interrupted(AttentionNet(**SETTINGS, optimiser=optimiser), 15))
        counted = interrupted(AttentionNet(**SETTINGS, optimiser=optimiser), 6 * 6 - 15)
        np.testing.assert_array_equal(store.scores(store.fit(counted)), whole)
        assert counted.record() == uninterrupted.record(), "losses from before the interruption are recorded too"
        again = store.fit(interrupted(AttentionNet(**SETTINGS, optimiser=optimiser), 0))
        assert again.record() == uninterrupted.record()
        assert [len(values) for values in again.record()["losses"].values()] == [6, 6]


def test_a_path_tells_all_epochs_again(tmp_path: Path) -> None:
    store = Store()

    def told(head: TorchHead) -> list[tuple[int, np.ndarray]]:
        path = head.fit_candidates(store.features, store.labels, store.semantics, store.attributes)
        return [(setting["epochs"], store.scores(fitted)) for setting, fitted in path]  # type: ignore[arg-type]

    whole = told(AttentionNet(**SETTINGS))
    with checkpoints(tmp_path, every_s=0):
        stopped = AttentionNet(**SETTINGS)
        path = stopped.fit_candidates(store.features, store.labels, store.semantics, store.attributes)
        for _ in range(4):
            next(path)
        path.close()  # type: ignore[attr-defined]
        again = told(AttentionNet(**SETTINGS))
    assert [e for e, _ in again] == [1, 2, 3, 4, 5, 6]
    for (_, a), (_, b) in zip(again, whole):
        np.testing.assert_array_equal(a, b)


def test_other_settings_and_data_have_checkpoints_of_their_own(tmp_path: Path) -> None:
    store, other = Store(), Store()
    other.labels = other.labels[::-1].copy()
    with checkpoints(tmp_path):
        for head, data in [(AttentionNet(**SETTINGS), store), (AttentionNet(**SETTINGS, seed=1), store)]:
            np.testing.assert_array_equal(
                data.scores(data.fit(head)), data.scores(data.fit(head.with_params())), "the same again from the file"
            )
        other.fit(AttentionNet(**SETTINGS))
    assert len(list(tmp_path.iterdir())) == 3


def test_nan_in_the_features_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    store = Store()
    store.features["region"][5] = np.nan
    with checkpoints(tmp_path, every_s=0), pytest.raises(ZslpipeError, match=r"'region' contain NaN .* in row 5"):
        store.fit(AttentionNet(**SETTINGS, scale_features=False))
    assert not list(tmp_path.iterdir())


def test_nan_in_streamed_features_stops_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zslpipe.training.placed.SHARE", 0.0)
    store = Store()
    store.features["region"][5] = np.nan
    with checkpoints(tmp_path, every_s=0), pytest.raises(DivergedError, match=r"the loss 'sce' became nan in step \d+"):
        store.fit(AttentionNet(**SETTINGS, scale_features=False))


VICTIM = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_resuming_heads import AttentionNet, SETTINGS, Store, checkpoints
import torch
torch.set_num_threads(1)
store, steps = Store(), 0
head = AttentionNet(**SETTINGS)
terms = head.terms
def counted(*args):
    global steps
    steps += 1
    if steps == {at}:
        os.kill(os.getpid(), {how})
    return terms(*args)
head.terms = counted
with checkpoints(Path({folder!r}) / "c", every_s=0):
    store.fit(head).save(Path({folder!r}))
"""


def train_and_die(folder: Path, at: int, how: int) -> int:
    """Train in a process that kills itself at a step (never, if the step is not reached); its exit code."""
    code = VICTIM.format(tests=str(Path(__file__).parent), folder=str(folder), at=at, how=int(how))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    return done.returncode


def check_against_uninterrupted(folder: Path) -> None:
    store, loaded = Store(), load_head(folder)
    assert isinstance(loaded, TorchHead)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # like the victims
    whole = store.scores(store.fit(AttentionNet(**SETTINGS)))
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(store.scores(loaded), whole)


def test_a_killed_head_ends_as_if_it_had_lived(tmp_path: Path) -> None:
    assert train_and_die(tmp_path, 15, signal.SIGKILL) == -signal.SIGKILL
    assert not (tmp_path / "head.json").exists()
    assert train_and_die(tmp_path, 10**9, signal.SIGKILL) == 0
    check_against_uninterrupted(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("step", [2, 5, 7, 11])
def test_killed_again_and_again(tmp_path: Path, step: int) -> None:
    deaths = 0
    while train_and_die(tmp_path, step + 1, [signal.SIGTERM, signal.SIGKILL][step % 2]) != 0:
        deaths += 1
        assert deaths <= 36
    assert deaths >= 36 // (step + 1) - 1
    check_against_uninterrupted(tmp_path)
