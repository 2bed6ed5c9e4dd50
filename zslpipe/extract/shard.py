"""Which part of the pieces this process extracts, if several fill the same store."""

import os
import re
from collections.abc import Mapping

from zslpipe.errors import InputError

Shard = tuple[int, int]  # index from 0, count


def parse_shard(text: str | None, environment: Mapping[str, str] | None = None) -> Shard:
    """(index from 0, count): from "i/n", else from the variables that Slurm sets, else (0, 1) for all.

    If each element of a Slurm array runs several tasks, task p of P in element a of A is shard a * P + p of A * P.

    Raises:
        InputError: if `text` or a variable is not valid.
    """
    if text is not None:
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        if match is None:
            raise InputError(f"--shard must be i/n with i from 0, such as 0/4 for the first of four, not '{text}'.")
        return _checked(int(match[1]), int(match[2]), f"--shard {text}")
    variables = os.environ if environment is None else environment
    element, elements = _slurm_array(variables)
    task, tasks = _slurm_tasks(variables)
    return element * tasks + task, elements * tasks


def torchrun_ranks(environment: Mapping[str, str] | None = None) -> Shard | None:
    """(rank, number of ranks) if torchrun started this process as one of several, else None.

    Raises:
        InputError: if the variables that it sets are not valid.
    """
    variables = os.environ if environment is None else environment
    if "RANK" not in variables or "WORLD_SIZE" not in variables:
        return None
    rank, world = _numbers(variables, "RANK", "WORLD_SIZE")
    _checked(rank, world, f"RANK={rank} of WORLD_SIZE={world}")
    return None if world == 1 else (rank, world)


def own_device(device: str, environment: Mapping[str, str] | None = None) -> str:
    """For a rank of torchrun, "auto" means the GPU of its number on this machine, if there are GPUs."""
    import torch

    variables = os.environ if environment is None else environment
    if device != "auto" or "LOCAL_RANK" not in variables or not torch.cuda.is_available():
        return device
    (rank,) = _numbers(variables, "LOCAL_RANK")
    return f"cuda:{rank % torch.cuda.device_count()}"


def _slurm_array(environment: Mapping[str, str]) -> Shard:
    if "SLURM_ARRAY_TASK_ID" not in environment or "SLURM_ARRAY_TASK_COUNT" not in environment:
        return 0, 1
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP")
    defaults = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_STEP": "1"}
    number, count, first, step = _numbers({**defaults, **environment}, *names)
    return _checked((number - first) // max(step, 1), count, f"SLURM_ARRAY_TASK_ID={number} of {count} from {first}")


def _slurm_tasks(environment: Mapping[str, str]) -> Shard:
    if "SLURM_PROCID" not in environment or "SLURM_NTASKS" not in environment:
        return 0, 1
    if "SLURM_JOB_ID" in environment and "SLURM_STEP_ID" not in environment:
        return 0, 1  # a batch script is process 0 of all tasks, but runs alone until it calls srun
    task, tasks = _numbers(environment, "SLURM_PROCID", "SLURM_NTASKS")
    return _checked(task, tasks, f"SLURM_PROCID={task} of SLURM_NTASKS={tasks}")


def _numbers(environment: Mapping[str, str], *names: str) -> tuple[int, ...]:
    try:
        return tuple(int(environment[name]) for name in names)
    except ValueError:
        values = ", ".join(f"{name}={environment[name]}" for name in names)
        raise InputError(f"the environment variables {values} are not integers: use --shard i/n.") from None


def _checked(index: int, count: int, source: str) -> Shard:
    if not 0 <= index < count:
        raise InputError(f"{source} is not a valid shard: use --shard i/n with i from 0 to n - 1.")
    return index, count
