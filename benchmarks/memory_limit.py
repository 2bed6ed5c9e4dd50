"""Trainings under an enforced limit of memory: on a store four times as large, and with 50,000 classes.

    python benchmarks/memory_limit.py [--mib 640] [--classes 50000]

Each command runs in a process of its own whose data segment (heap, anonymous and private writable memory, as in
`ulimit -d`) may not exceed the limit; an allocation beyond it fails, and so does the command. Told are the exit codes,
the largest resident memory without mapped files, and the seconds. Features are random.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import RESULTS, write_table
from first_use_check import made

from zslpipe.store.layout import TapSpec
from zslpipe.workflows.workspace import Workspace

MIB = 1 << 20


def limited(mib: int, cache: Path, *line: str) -> dict[str, Any]:
    """Run a command with at most `mib` MiB of data."""
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.environ |= {"ZSLPIPE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        code = "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]) << 20,) * 2)"
        code += "; from zslpipe.cli import main; main(sys.argv[2:])"
        os.execv(sys.executable, [sys.executable, "-c", code, str(mib), *line])
    peak, ended = 0, 0
    while not ended:
        peak = max(peak, anonymous(pid))
        ended, status = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    return {
        "command": " ".join(word for word in line if not word.startswith(str(cache))),
        "limit_mib": mib,
        "exit_code": os.waitstatus_to_exitcode(status),
        "peak_mib": peak >> 10,
        "seconds": round(time.monotonic() - started, 1),
    }


def anonymous(pid: int) -> int:
    """KiB that a process holds and that is no part of a file."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def large_store(folder: Path, mib: int, rows: list[dict[str, Any]]) -> None:
    """A head on regions and one on global features, and the embeddings of the first as a store."""
    place = Workspace(folder, folder / "cache")
    taps = {"global": TapSpec((512,), "float16"), "region": TapSpec((49, 512), "float16")}
    size = 4 * mib * MIB // (50 * 512 * 2)
    store = made(place.stores / "large", each=size // 60, classes=60, attributes=40, taps=taps)
    about = {"store_mib": store.bytes // MIB, "classes": 60}
    episodes = ("--set", "epochs=1", "--set", "sampling=episodes", "--set", "episodes=20")
    for line in (
        ("train-head", "remse", *episodes),
        ("derive", "--final-only"),
        ("train-head", "eszsl", "--store", "large"),
    ):
        rows.append({**about, **limited(mib, place.cache, *line)})


def many_classes(folder: Path, mib: int, classes: int, rows: list[dict[str, Any]]) -> None:
    place = Workspace(folder, folder / "cache")
    store = made(place.stores / "many", 2, classes, 300, {"global": TapSpec((256,), "float16")}, tested=400)
    about = {"store_mib": store.bytes // MIB, "classes": classes}
    for line in (("train-head", "eszsl", "--set", "gamma=1", "--set", "lambda_=1"), ("eval", "--gzsl", "--calibrate")):
        rows.append({**about, **limited(mib, place.cache, *line)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=640, help="limit of the trainings on a store four times as large")
    parser.add_argument("--classes", type=int, default=50_000)
    parser.add_argument("--classes-mib", type=int, default=3072, help="limit of those with many classes")
    parser.add_argument("--out", type=Path, default=RESULTS / "memory_limit.csv")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        large_store(Path(temporary) / "large", asked.mib, found)
    with tempfile.TemporaryDirectory() as temporary:
        many_classes(Path(temporary) / "many", asked.classes_mib, asked.classes, found)
    for row in found:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    write_table(asked.out, found)
    sys.exit(any(row["exit_code"] for row in found))
