"""`train-head --jobs`: the numbers of one job, bit for bit, from several processes; and grids of settings."""

import os
import signal
import warnings
from pathlib import Path

import pytest

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.heads import HEADS
from zslpipe.parallel import mapped, workers
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import candidate_settings, train_head
from zslpipe.workflows.workspace import Workspace

PLUGIN = Path(__file__).parents[2] / "examples" / "my_head.py"


def heads_of(run: Run) -> dict[str, bytes]:
    return {str(p.relative_to(run.path)): p.read_bytes() for p in run.path.glob("seed-*/**/*") if p.is_file()}


@pytest.mark.parametrize("seeds", [(0, 1), pytest.param((3,), marks=pytest.mark.slow)], ids=["seeds", "folds"])
def test_two_jobs_give_the_bits_of_one(workspace: Workspace, store: FeatureStore, seeds: tuple[int, ...]) -> None:
    asked = {"settings": {"branch": "global", "epochs": 3}, "grid": {"loss": ["sce", "sce+remse"]}, "seeds": seeds}
    alone, shared = (train_head(workspace, "attention-net", store, **asked, jobs=jobs)[0] for jobs in (1, 2))
    assert alone.path != shared.path
    assert heads_of(alone) == heads_of(shared)
    assert len(heads_of(alone)) >= 3 * len(seeds)


def test_workers_know_the_plugins_and_pass_errors_on() -> None:
    with workers(2, [str(PLUGIN)]):
        assert "nearest-prototype" in next(mapped(_names_of_heads, [0]))
        with pytest.raises(InputError, match="remse"):
            list(mapped(_head_named, ["remes"]))


def test_a_killed_worker_ends_in_a_sentence() -> None:
    with pytest.raises(ZslpipeError, match="fewer --jobs"), workers(2):
        list(mapped(_kill_itself, [0]))


def test_warnings_of_workers_are_shown_once_by_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as shown, workers(2):
        warnings.simplefilter("default")
        list(mapped(_warn, range(4)))
    assert [str(w.message) for w in shown] == ["all attributes form one group"]
    assert "one group" not in capfd.readouterr().err


def _warn(_: int) -> None:
    warnings.warn("all attributes form one group", stacklevel=1)


def _names_of_heads(_: int) -> list[str]:
    return list(HEADS)


def _head_named(name: str) -> str:
    return HEADS[name].name


def _kill_itself(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_grid_is_the_product_of_its_values_and_the_rest_of_the_search_space() -> None:
    assert candidate_settings(HEADS["eszsl"], {"lambda_": 2.0}, {"gamma": [1, 10]}) == [
        {"gamma": 1, "lambda_": 2.0},
        {"gamma": 10, "lambda_": 2.0},
    ]
    both = candidate_settings(HEADS["eszsl"], {}, {"gamma": [1, 10], "negative": [0, -1]})
    assert len(both) == 4 * len({c["lambda_"] for c in HEADS["eszsl"].search_space()})
    with pytest.raises(InputError, match="gamma must be a number > 0, not 0"):
        candidate_settings(HEADS["eszsl"], {}, {"gamma": [1, 0]})
