"""`zslpipe derive`, killed again and again: the finished store has the bytes of an undisturbed one."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("ZSLPIPE_DERIVE_KILLS", "6"))


def start(cache: Path, *line: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "zslpipe", *line, "--cache", str(cache), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def finished(process: "subprocess.Popen[str]") -> dict[str, str]:
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def test_a_killed_derivation_leaves_the_same_bytes(
    sun_root: Path, tmp_path: Path, files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    np.save(tmp_path / "features.npy", np.random.default_rng(0).normal(size=(60, 64)).astype(np.float32))
    cache = tmp_path / "cache"
    finished(start(cache, "import", str(tmp_path / "features.npy"), "--dataset", "sun"))
    settings = ("--set", "epochs=400", "--set", "learning_rate=0.001", "--set", "regression_weight=1")
    run = Path(finished(start(cache, "train-head", "remse", *settings, "--selection", "oracle"))["run"])
    line = ("derive", run.name, "--selection", "unseen-class")
    began = time.monotonic()
    store = Path(finished(start(cache, *line))["store"])
    took, expected, models = time.monotonic() - began, files(store), files(run / "seed-0" / "folds")
    shutil.rmtree(store)
    shutil.rmtree(run / "seed-0" / "folds")
    kills, moments = 0, random.Random(0)
    for _ in range(10 * KILLS):
        process = start(cache, *line)
        if kills < KILLS:
            time.sleep(moments.uniform(0.5, 0.9) * took)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        assert finished(process)["store"] == str(store)
        break
    assert files(store) == expected
    assert {name: content for name, content in files(run / "seed-0" / "folds").items() if ".tmp" not in name} == models
