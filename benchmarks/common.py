"""What benchmarks have in common: names of machine and file, a table on disk, the kernel's account of memory."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from zslpipe.workflows.versions import machine

RESULTS = Path(__file__).parent / "results"


def device_name(device: str = "cpu") -> str:
    """Of the processor with the threads in use, or of the GPU."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    return f"{machine()['processor']} cpu{torch.get_num_threads()}"


def result_file(name: str, device: str = "cpu", folder: Path = RESULTS) -> Path:
    """Where the table of a benchmark goes: named by device and torch version, so that machines do not mix."""
    return folder / f"{name}-{'-'.join(device_name(device).split())}-torch{torch.__version__}.csv"


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, with the columns of all of them, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, dict.fromkeys(column for row in rows for column in row))
        writer.writeheader()
        writer.writerows(rows)
    print(f"written to {path}")


def forget_peak() -> None:
    """Set this process's peak of resident memory back to what it holds now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def resident(key: str) -> float:
    """MiB that this process holds ("VmRSS") or held at most ("VmHWM")."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024
