"""Trainings under an enforced limit of memory: on a store four times as large, and with 50,000 classes.

    python benchmarks/memory_limit.py [--only store] [--mib 640] [--classes 50000]      # as root: it makes a cgroup

Each command runs in a process of its own in a cgroup whose memory may not exceed the limit: the kernel ends what does.
Where no cgroup can be made, the limit is one of the data segment (`ulimit -d`). Told are the exit codes, the largest
resident memory without files, and the seconds. Features are random.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from common import RESULTS, write_table
from first_use_check import made

from zslpipe.store.layout import TapSpec
from zslpipe.workflows.workspace import Workspace

MIB = 1 << 20


def limited(mib: int, cache: Path, *line: str) -> dict[str, Any]:
    """Run a command with at most `mib` MiB of memory."""
    started, group = time.monotonic(), new_group(mib)
    pid = os.fork()
    if pid == 0:
        os.environ |= {"ZSLPIPE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        code = "from zslpipe.cli import main; main()"
        if group is None:
            resource.setrlimit(resource.RLIMIT_DATA, (mib * MIB, mib * MIB))
        else:
            (group / "cgroup.procs").write_text("0")
        os.execv(sys.executable, [sys.executable, "-c", code, *line])
    peak, ended = 0, 0
    while not ended:
        peak = max(peak, anonymous(pid))
        ended, status = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    if group is not None:
        group.rmdir()
    return {
        "command": " ".join(line),
        "limit_mib": mib,
        "by": "ulimit" if group is None else "cgroup",
        "exit_code": os.waitstatus_to_exitcode(status),
        "peak_mib": peak >> 10,
        "seconds": round(time.monotonic() - started, 1),
    }


def new_group(mib: int) -> Path | None:
    """A cgroup with a limit, of version 1 or 2; None if that is not allowed here."""
    own = {line.split(":")[1]: line.split(":")[2] for line in Path("/proc/self/cgroup").read_text().splitlines()}
    for controller, file in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        try:
            group = Path("/sys/fs/cgroup") / controller / own[controller].lstrip("/") / f"zslpipe-{os.getpid()}"
            group.mkdir()
            (group / file).write_text(str(mib * MIB))
        except (OSError, KeyError):
            continue
        return group
    return None


def anonymous(pid: int) -> int:
    """KiB that a process holds and that is no part of a file."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def large_store(folder: Path, mib: int, rows: list[dict[str, Any]]) -> None:
    """A head on regions, its embeddings as a store, and a closed form on the small tap of the same store."""
    place = Workspace(folder, folder / "cache")
    taps = {"global": TapSpec((512,), "float16"), "region": TapSpec((49, 512), "float16")}
    size = 4 * mib * MIB // (50 * 512 * 2)
    store = made(place.stores / "large", each=size // 60, classes=60, attributes=40, taps=taps)
    about = {"store_mib": store.bytes // MIB, "classes": 60}
    episodes = ("--set", "epochs=1", "--set", "sampling=episodes", "--set", "episodes=10", "--rule", "folds=2")
    for line in (
        ("train-head", "remse", *episodes),
        ("derive", "--final-only"),
        ("train-head", "eszsl", "--store", "large"),
    ):
        rows.append({**about, **limited(mib, place.cache, *line)})


def many_classes(folder: Path, mib: int, classes: int, rows: list[dict[str, Any]]) -> None:
    """All classes are described by 300 attributes; 1,000 have images, six each, and a quarter of these is unseen."""
    place = Workspace(folder, folder / "cache")
    with_images = min(1000, classes)
    spec = {"global": TapSpec((256,), "float16")}
    store = made(place.stores / "many", 6, with_images, 300, spec, further=classes - with_images)
    about = {"store_mib": store.bytes // MIB, "classes": classes}
    for line in (("train-head", "eszsl", "--set", "gamma=1", "--set", "lambda_=1"), ("eval", "--gzsl", "--calibrate")):
        rows.append({**about, **limited(mib, place.cache, *line)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=640, help="limit of the trainings on a store four times as large")
    parser.add_argument("--classes", type=int, default=50_000)
    parser.add_argument("--classes-mib", type=int, default=2048, help="limit of those with many classes")
    parser.add_argument("--only", choices=["store", "classes"])
    parser.add_argument("--out", type=Path, default=RESULTS / "memory_limit.csv")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    for name, measure in {
        "store": partial(large_store, mib=asked.mib),
        "classes": partial(many_classes, mib=asked.classes_mib, classes=asked.classes),
    }.items():
        if asked.only in (None, name):
            with tempfile.TemporaryDirectory() as temporary:
                measure(Path(temporary) / name, rows=found)
    for row in found:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    write_table(asked.out, found)
    sys.exit(any(row["exit_code"] for row in found))
