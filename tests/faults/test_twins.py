"""The same training twice at once: both end with a run, with the same bytes, and leave nothing behind."""

import json
import os
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


@pytest.mark.parametrize("head", ["remse", "eszsl"])
def test_twins_both_end_with_a_run(sun_root: Path, tmp_path: Path, head: str) -> None:
    environment = {**os.environ, "ZSLPIPE_DATA": str(sun_root), "OMP_NUM_THREADS": "1"}
    rng, cache = np.random.default_rng(0), tmp_path / "cache"
    benchmark = load_benchmark("sun", sun_root)
    features = benchmark.semantics[benchmark.labels] @ rng.normal(size=(5, 64)) + rng.normal(size=(60, 64))
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    imported = command(cache, "import", str(tmp_path / "features.npy"), "--dataset", "sun")
    subprocess.run(imported, check=True, env=environment, capture_output=True)
    for pause in (0.0, 0.5):
        twins = []
        for _ in range(2):
            line = command(cache, "train-head", head, "--json")
            pipe = subprocess.PIPE
            twins.append(subprocess.Popen(line, env=environment, stdout=pipe, stderr=pipe, text=True))
            time.sleep(pause)
        ends = []
        for twin in twins:
            out, err = twin.communicate()
            assert twin.returncode == 0, err
            ends.append(Path(json.loads(out)["run"]))
        one, other = ((end / "seed-0" / "head.safetensors").read_bytes() for end in ends)
        assert one == other
    assert len(list((cache / "runs").iterdir())) == 4
    assert not list((cache / "checkpoints").glob("*"))
