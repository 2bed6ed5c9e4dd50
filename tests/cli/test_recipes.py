"""zslpipe recipes: what there is, and all of one."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.workflows.recipes import recipe_files


def zslpipe(*line: str) -> Any:
    return CliRunner().invoke(main, line)


def test_the_list_has_names_and_published_numbers() -> None:
    listed = json.loads(zslpipe("recipes", "--json").stdout)
    assert [recipe["name"] for recipe in listed] == list(recipe_files())
    lines = zslpipe("recipes").stdout.splitlines()
    (line,) = [line for line in lines if "remse/cub " in line]
    assert " ".join(line.split()) == "remse/cub cub resnet101 T1 80.9 U 72.8 S 74.8 H 73.8 AUSUC 65.16"
    assert sum("Rebalanced Zero-shot Learning" in line for line in lines) == 1


def test_one_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(recipe_files()["remse/cub"], "mine.yaml")
    about = json.loads(zslpipe("recipes", "mine.yaml", "--json").stdout)
    named = json.loads(zslpipe("recipes", "remse/cub", "--json").stdout)
    assert about["settings"] == named["settings"]
    assert about["path"] == "mine.yaml"
    assert named["name"] == "remse/cub"
    text = zslpipe("recipes", "remse/cub").stdout
    for key, value in named["settings"].items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        assert any(line.split() == [key, shown] for line in text.splitlines()), key
    assert "settings follow the released code where paper and released code differ" in text
    assert all(line.strip() in text for line in named["notes"].splitlines())
    assert "AttentionNet + ReMSE" in text


def test_an_unknown_one() -> None:
    done = zslpipe("recipes", "remse/cbu")
    assert done.exit_code == 2
    assert "unknown recipe 'remse/cbu': did you mean remse/cub" in done.stderr


def test_run_takes_short_names(tmp_path: Path) -> None:
    places = ("--data-root", str(tmp_path / "data"), "--cache", str(tmp_path / "cache"))
    done = zslpipe("run", "remse/cub", *places)
    assert done.exit_code == 2
    assert "att_splits.mat" in done.stderr  # the recipe was found, its dataset is not there
    assert "did you mean remse/cub" in zslpipe("run", "remse/cubs", *places).stderr
