"""SIGTERM during a training or a sweep with --jobs.

It is sent to the command alone, as by docker, or to all its processes, as by SLURM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.data.load import load_benchmark

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the workers are found in /proc"),
]


def wait_for(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and not true():
        time.sleep(0.02)
    return true()


def members(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


SWEEP = "heads:\n  - {head: remse, settings: {epochs: [20000, 20001]}}\n"
COMMANDS = {  # arguments, what is told, and which folders of runs must not be there: hidden ones are swept later
    "train-head": (
        ["train-head", "remse", "--set", "epochs=20000"],
        "a checkpoint is kept; the same command continues from it.",
        "*",
    ),
    "sweep": (["sweep", "sweep.yaml"], "finished runs are kept; the same command trains the others.", "[!.]*"),
}


@pytest.mark.parametrize("everyone", [False, True], ids=["to the command", "to all"])
@pytest.mark.parametrize("verb", COMMANDS)
def test_workers_end_with_the_command(sun_root: Path, tmp_path: Path, verb: str, everyone: bool) -> None:
    cache, benchmark, rng = tmp_path / "cache", load_benchmark("sun", sun_root), np.random.default_rng(0)
    environment = {**os.environ, "ZSLPIPE_DATA": str(sun_root), "ZSLPIPE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    features = benchmark.semantics[benchmark.labels] @ rng.normal(size=(5, 64)) + rng.normal(size=(60, 64))
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    program = [sys.executable, "-m", "zslpipe"]
    imported = [*program, "import", str(tmp_path / "features.npy"), "--dataset", "sun"]
    subprocess.run(imported, check=True, env=environment, capture_output=True)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    arguments, told, runs = COMMANDS[verb]
    options: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True, "cwd": tmp_path}
    process = subprocess.Popen([*program, *arguments, "--jobs", "2"], env=environment, **options)
    try:
        assert wait_for(lambda: len(list(cache.glob("checkpoints/*/*"))) > 1), "no worker has begun"
        assert len(members(process.pid)) > 2
        (os.killpg if everyone else os.kill)(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert err.splitlines()[-1] == f"zslpipe: interrupted; {told}", err
        assert "Traceback" not in err
        assert wait_for(lambda: not members(process.pid), 15), "a worker goes on"
        assert not list((cache / "runs").glob(runs))
    finally:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
