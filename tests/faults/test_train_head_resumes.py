"""Training that is killed resumes from its last checkpoint and ends with the weights of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.load import load_benchmark

pytestmark = pytest.mark.faults


def command(cache: Path, *line: str) -> list[str]:
    return [sys.executable, "-m", "zslpipe", *line, "--cache", str(cache)]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_training_ends_with_the_same_weights(sun_root: Path, tmp_path: Path, jobs: str) -> None:
    environment = {**os.environ, "ZSLPIPE_DATA": str(sun_root), "OMP_NUM_THREADS": "1"}
    rng = np.random.default_rng(0)
    benchmark = load_benchmark("sun", sun_root)
    features = benchmark.semantics[benchmark.labels] @ rng.normal(size=(5, 64)) + rng.normal(size=(60, 64))
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    train = ("train-head", "remse", "--set", "epochs=400", "--json")
    ends = {}
    for place in ("alone", "killed"):
        cache = tmp_path / place
        imported = command(cache, "import", str(tmp_path / "features.npy"), "--dataset", "sun")
        subprocess.run(imported, check=True, env=environment, capture_output=True)
        kills, moments = 0, random.Random(0)
        while True:
            line = command(cache, *train, "--jobs", jobs if place == "killed" else "1")
            process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)
            if place == "killed" and kills < 4:
                time.sleep(moments.uniform(4, 8))
                if process.poll() is None:
                    process.send_signal(moments.choice([signal.SIGKILL, signal.SIGTERM]))
                    process.wait()
                    kills += 1
                    continue
            out, _ = process.communicate()
            assert process.returncode == 0
            break
        ends[place] = Path(json.loads(out)["run"]) / "seed-0"
    assert kills > 0
    assert ends["killed"].is_dir()
    for run in (tmp_path / "killed" / "runs").glob("[!.]*"):  # one may have been whole before its process was killed
        for file in ("head.safetensors", "choice.json"):
            assert (ends["alone"] / file).read_bytes() == (run / "seed-0" / file).read_bytes(), run
    assert not list((tmp_path / "killed" / "checkpoints").glob("*"))
