"""An installed package adds heads, semantics and backbones by its entry points."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''
from dataclasses import dataclass

import numpy as np

from zslpipe.backbones import BACKBONES
from zslpipe.data.semantics import SEMANTICS
from zslpipe.parts.head import Head, register


@register("my-head")
@dataclass
class MyHead(Head):
    """Semantics by least squares."""

    def learn(self, data):
        x = np.asarray(data.features["global"][:])
        self.weights_ = np.linalg.lstsq(x, data.semantics[data.labels], rcond=None)[0]

    def scorer(self, classes):
        weights = (self.weights_ @ classes.semantics.T).astype(np.float32)
        return lambda features: np.asarray(features["global"][:]) @ weights

    def state(self):
        return {"weights": self.weights_}

    def load_state(self, state):
        self.weights_ = state["weights"]


@SEMANTICS.register("my-semantics")
def first_two(benchmark, data_root):
    return benchmark.with_semantics(benchmark.semantics[:, :2], benchmark.attribute_names[:2], "my-semantics")


@BACKBONES.register("my-backbone")
def my_backbone():
    """A backbone that is only listed here."""
'''
ENTRY_POINTS = """
[zslpipe.heads]
my-head = my_zsl:MyHead
broken-head = my_broken_zsl
silent-head = my_silent_zsl

[zslpipe.semantics]
my-semantics = my_zsl:first_two

[zslpipe.backbones]
my-backbone = my_zsl
"""
SCRIPT = """
import json, sys
from click.testing import CliRunner
from zslpipe.cli import main

results = []
for line in json.loads(sys.argv[1]):
    done = CliRunner().invoke(main, line)
    results.append([done.exit_code, done.stdout, done.stderr])
print(json.dumps(results))
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder as pip leaves it: modules, and the metadata of the package that they belong to."""
    site = tmp_path / "site"
    metadata = site / "my_zsl-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-zsl\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "my_zsl.py").write_text(MODULE)
    (site / "my_broken_zsl.py").write_text("import nothing_like_this\n")
    (site / "my_silent_zsl.py").write_text("")
    return site


def run(site: Path, *lines: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each command, in a new process that has the package installed."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", SCRIPT, json.dumps(lines)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def test_all_three_kinds(site: Path, with_store: Path) -> None:
    trained, evaluated, heads, backbones = run(
        site,
        ["train-head", "my-head", "--semantics", "my-semantics"],
        ["eval", "--gzsl", "--calibrate", "--json"],
        ["heads"],
        ["backbones", "my-"],
    )
    assert trained[0] == 0, trained
    (row,) = json.loads(evaluated[1])
    assert (row["head"], row["semantics"]) == ("my-head", "my-semantics")
    assert "Semantics by least squares." in heads[1]
    assert backbones[1] == "my-backbone\n"


def test_a_broken_one_is_reported_in_a_sentence_and_disturbs_no_other(site: Path, with_store: Path) -> None:
    broken, silent, fine, heads, unknown = run(
        site,
        ["train-head", "broken-head"],
        ["train-head", "silent-head"],
        ["train-head", "my-head"],
        ["heads", "--json"],
        ["train-head", "brokn-head"],
    )
    sentence = (
        "the head 'broken-head' of the package my-zsl cannot be imported "
        "(ModuleNotFoundError: No module named 'nothing_like_this'): update or uninstall that package."
    )
    assert (broken[0], broken[2]) == (2, f"zslpipe: {sentence}\n")
    assert "my_silent_zsl does not register it" in silent[2]
    assert silent[0] == 2
    assert fine[0] == 0
    summaries = {head["name"]: head["summary"] for head in json.loads(heads[1])}
    assert summaries["broken-head"] == f"not available: {sentence}"
    assert {"my-head", "remse", "eszsl"} <= set(summaries)
    assert "did you mean broken-head" in unknown[2]
