"""docs/own-images.md and its notebook, run as they stand on photos of birds."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.load import load_benchmark

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "own-images.md").read_text()
NEW = ("007.Parakeet_Auklet", "008.Rhinoceros_Auklet")
NUMBER = re.compile(r"-?\d+(\.\d+)?")

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """my-birds, holiday and more.csv, as the guide describes them."""
    work = tmp_path_factory.mktemp("own-images")
    benchmark, photos = load_benchmark("cub", data_root), data_root / "images" / "CUB50"
    index = {name.lower(): i for i, name in enumerate(benchmark.class_names)}
    folders = {p.name: index[p.name.lower()] for p in sorted(photos.iterdir()) if p.is_dir()}
    held_back = [f for f, c in folders.items() if c not in benchmark.seen_classes]
    known = [f for f in folders if f not in (*held_back, *NEW)]

    def plain(name: str) -> str:
        return name.split(".", 1)[1].replace("_", " ")

    def link(names: Sequence[str], where: Path, each: int) -> None:
        for name in names:
            (where / plain(name)).mkdir(parents=True)
            for i, photo in enumerate(sorted((photos / name).iterdir())[:each]):
                (where / plain(name) / f"{i:02}.jpg").symlink_to(photo.resolve())

    def describe(names: Sequence[str], path: Path, *columns: str) -> None:
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["class", *columns, *benchmark.attribute_names])
            for name in names:
                values = 100 * benchmark.semantics[folders[name]]
                writer.writerow([plain(name), *("" for _ in columns), *(f"{v:.1f}" for v in values)])

    link(known, work / "my-birds", 30)
    link([*held_back, *NEW], work / "holiday", 10)
    describe([*known, *held_back], work / "my-birds" / "classes.csv", "split")
    describe(NEW, work / "more.csv")
    return work


def run(folder: Path, line: str) -> str:
    env = {**os.environ, "ZSLPIPE_CACHE": str(folder / "cache"), "ZSLPIPE_DATA": str(folder)}
    words = shlex.split(line)
    if "RUN" in words:
        words[words.index("RUN")] = next(p.name for p in (folder / "cache" / "runs").iterdir() if "gfzsl" in p.name)
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def masked(text: str) -> list[str]:
    """Lines without numbers (they may differ in the last digits) and spacing."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines()]


def test_the_guide(folder: Path) -> None:
    printed: list[str] = []
    commands = 0
    for line in re.findall(r"^    (.*)$", GUIDE.split("\n    $ ", 1)[1].join(["    $ ", ""]), re.MULTILINE):
        if line.startswith("$ "):
            printed, commands = masked(run(folder, line[2:])), commands + 1
        else:
            (expected,) = masked(line)
            assert any(expected in found or found in expected for found in printed if found), line
    assert commands == 7


def test_the_last_paragraph(folder: Path) -> None:
    name = next(p.name for p in (folder / "cache" / "runs").iterdir() if "gfzsl" in p.name)
    said = json.loads(run(folder, f"zslpipe predict {name} holiday --classes more.csv --top 3 --json"))["predictions"]
    named = [[c["class"] for c in one["classes"]] for one in said]
    true = [Path(one["image"]).parent.name for one in said]
    sentence = r"Of the (\d+) photos, (\d+) are named right among (\d+) .*?for (\d+)"
    photos, right, candidates, among = map(int, re.findall(sentence, GUIDE, re.DOTALL)[0])
    assert (len(said), candidates) == (photos, 50)
    assert abs(sum(t == n[0] for t, n in zip(true, named)) - right) <= 3
    assert abs(sum(t in n for t, n in zip(true, named)) - among) <= 3


def test_the_notebook(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    cells = json.loads((ROOT / "examples" / "own_images.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    names: dict[str, object] = {"__name__": "notebook"}
    exec(compile(code, "own_images.ipynb", "exec"), names)
    said = capsys.readouterr().out
    assert "38 classes with photos, 10 without" in said
    right = int(re.findall(r"(\d+) of 120 photos", said)[0])
    assert right > 40
    assert np.isclose(right, int(re.findall(r"photos, (\d+) are named right", GUIDE)[0]), atol=3)
