"""Adding a head means adding one file: nothing else is edited, and every command supports it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import zslpipe

NEAREST = '''
"""The class whose projected semantics lie nearest."""

from dataclasses import dataclass

import numpy as np

from zslpipe.parts.head import Head, register
from zslpipe.parts.settings import Positive


@register("nearest")
@dataclass
class Nearest(Head):
    ridge: Positive = 1.0

    @classmethod
    def search_space(cls):
        return [{"ridge": 1.0}, {"ridge": 10.0}]

    def learn(self, data):
        x, s = np.asarray(data.features["global"][:], np.float32), data.semantics[data.labels]
        self.W_ = np.linalg.solve(s.T @ s + self.ridge * np.eye(s.shape[1], dtype=np.float32), s.T @ x)

    def scorer(self, classes):
        prototypes = classes.semantics @ self.W_

        def score(features):
            gaps = np.asarray(features["global"][:], np.float32)[:, None] - prototypes
            return -np.linalg.norm(gaps, axis=2).astype(np.float32)

        return score

    def state(self):
        return {"W": self.W_}

    def load_state(self, state):
        self.W_ = state["W"]
'''


def test_a_file_among_the_heads_is_a_head_everywhere(sun_root: Path, tmp_path: Path) -> None:
    package = tmp_path / "copy" / "zslpipe"
    shutil.copytree(Path(zslpipe.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "heads" / "nearest.py").write_text(NEAREST)
    np.save(tmp_path / "features.npy", np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32))
    places = {
        "PYTHONPATH": str(package.parent),
        "ZSLPIPE_DATA": str(sun_root),
        "ZSLPIPE_CACHE": str(tmp_path / "cache"),
    }

    def run(*line: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "zslpipe", *line]
        return subprocess.run(command, env={**os.environ, **places}, cwd=tmp_path, capture_output=True, text=True)

    assert run("import", "features.npy", "--dataset", "sun").returncode == 0
    trained = run("train-head", "nearest", "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["choices"]["0"]["params"]["ridge"] in (1.0, 10.0)
    (told,) = json.loads(run("eval", "--gzsl", "--calibrate", "--json").stdout)
    assert told["head"] == "nearest"
    assert 0 <= told["seeds"]["0"]["H"] <= 1
    assert "ridge must be a number > 0, not -1" in run("train-head", "nearest", "--set", "ridge=-1").stderr
    assert "did you mean nearest" in run("train-head", "nearst").stderr
