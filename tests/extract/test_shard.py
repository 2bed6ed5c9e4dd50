"""Shards from the command line, torchrun and Slurm."""

import pytest
import torch

from zslpipe.errors import InputError
from zslpipe.extract.shard import own_device, parse_shard, torchrun_ranks

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "8"}
SRUN = {"SLURM_PROCID": "1", "SLURM_NTASKS": "4"}
ARRAY = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "5"}


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        (None, {}, (0, 1)),
        ("0/1", {}, (0, 1)),
        (" 2 / 5 ", {}, (2, 5)),
        (None, SRUN, (1, 4)),
        (None, ARRAY, (2, 3)),
        (None, {**ARRAY, "SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_STEP": "2"}, (2, 3)),
        (None, {k: v for k, v in ARRAY.items() if "MIN" not in k} | {"SLURM_ARRAY_TASK_ID": "1"}, (1, 3)),
        (None, {**ARRAY, "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, (2, 3)),
        (None, {**ARRAY, **SRUN}, (9, 12)),
        (None, {**TORCHRUN, **SRUN, **ARRAY}, (9, 12)),
        ("0/2", {**TORCHRUN, **SRUN, **ARRAY}, (0, 2)),
        (None, {"RANK": "3"}, (0, 1)),
        # A batch script that does not call srun is process 0 of all tasks, but runs alone.
        (None, {"SLURM_JOB_ID": "9", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, (0, 1)),
        (None, {"SLURM_JOB_ID": "9", "SLURM_STEP_ID": "0", **SRUN}, (1, 4)),
    ],
)
def test_precedence(text, environment, shard):
    assert parse_shard(text, environment) == shard


def test_shards_of_an_array_of_steps_are_all_different():
    shards = {
        parse_shard(None, {**ARRAY, "SLURM_ARRAY_TASK_ID": str(a), "SLURM_PROCID": str(p), "SLURM_NTASKS": "4"})
        for a in (5, 6, 7)
        for p in range(4)
    }
    assert shards == {(i, 12) for i in range(12)}


@pytest.mark.parametrize("text", ["4/4", "1/0", "a/b", "-1/2", "3", "1/2/3", ""])
def test_invalid_shards_are_refused(text):
    with pytest.raises(InputError, match="--shard"):
        parse_shard(text, {})


@pytest.mark.parametrize("environment", [{"RANK": "x", "WORLD_SIZE": "2"}, {"RANK": "2", "WORLD_SIZE": "2"}])
def test_a_broken_environment_is_named(environment):
    with pytest.raises(InputError, match=r"RANK.*--shard i/n"):
        torchrun_ranks(environment)
    with pytest.raises(InputError, match=r"SLURM_PROCID.*--shard i/n"):
        parse_shard(None, {"SLURM_PROCID": "4", "SLURM_NTASKS": "4"})


def test_the_process_environment_is_read(monkeypatch):
    for key, value in (TORCHRUN | SRUN).items():
        monkeypatch.setenv(key, value)
    assert torchrun_ranks() == (3, 8)
    assert parse_shard(None) == (1, 4)


@pytest.mark.parametrize("environment", [{}, {"RANK": "3"}, {"RANK": "0", "WORLD_SIZE": "1"}])
def test_a_process_alone_has_no_ranks(environment):
    assert torchrun_ranks(environment) is None


def test_a_rank_takes_the_gpu_of_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert own_device("auto", {"LOCAL_RANK": "3"}) == "auto"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert [own_device("auto", {"LOCAL_RANK": str(rank)}) for rank in (1, 5)] == ["cuda:1", "cuda:1"]
    assert own_device("auto", {}) == "auto"
    assert own_device("cpu", {"LOCAL_RANK": "3"}) == "cpu"
