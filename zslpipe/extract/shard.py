"""Which share of the pieces this process takes, among others that fill the same store."""

import os
import re
from collections.abc import Mapping

from zslpipe.errors import RequestError

# (index, count, where the first index stands if not at 0); the first pair that is set counts.
ENVIRONMENT = (
    ("RANK", "WORLD_SIZE", None),  # torchrun
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"),  # sbatch --array
    ("SLURM_PROCID", "SLURM_NTASKS", None),  # srun
)


def parse_shard(text: str | None, environment: Mapping[str, str] | None = None) -> tuple[int, int]:
    """(index from 0, count) from "i/n"; without `text`, from what torchrun or Slurm set; else (0, 1), all of it.

    An array of Slurm tasks goes before the tasks of one job step, because each element of an array is a job of its
    own; where both hold several, they are combined: element a of A and task p of P are share a*P + p of A*P.
    """
    if text is not None:
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        if match is None:
            raise RequestError(f"--shard is i/n with i from 0, such as 0/4 for the first of four, not '{text}'.")
        return _checked(int(match[1]), int(match[2]), f"--shard {text}")
    found = os.environ if environment is None else environment
    shares = [share for names in ENVIRONMENT if (share := _from_environment(found, *names)) is not None]
    if not shares:
        return 0, 1
    if shares[0][2] == "RANK":
        return shares[0][:2]
    index, count = 0, 1
    for i, n, _ in shares:
        index, count = index * n + i, count * n
    return index, count


def _from_environment(
    environment: Mapping[str, str], index_name: str, count_name: str, offset_name: str | None
) -> tuple[int, int, str] | None:
    if index_name not in environment or count_name not in environment:
        return None
    try:
        index, count = int(environment[index_name]), int(environment[count_name])
        offset = int(environment.get(offset_name, 0)) if offset_name else 0
    except ValueError:
        raise RequestError(f"{index_name} and {count_name} are not numbers: give --shard i/n instead.") from None
    return *_checked(index - offset, count, f"{index_name}={index} of {count_name}={count}"), index_name


def _checked(index: int, count: int, source: str) -> tuple[int, int]:
    if not 0 <= index < count:
        raise RequestError(f"{source} names no share: i runs from 0 to n - 1, so give --shard i/n.")
    return index, count
