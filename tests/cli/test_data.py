"""zslpipe data: what is here, what is wrong with it, and tables for folders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zslpipe.cli import main


@pytest.fixture
def data(sun_root: Path, tmp_path: Path) -> Callable[..., Result]:
    places = ("--data-root", str(sun_root), "--cache", str(tmp_path / "cache"))
    return lambda *line: CliRunner().invoke(main, ["data", *line, *places])


def test_list(data: Callable[..., Result]) -> None:
    lines = data("list").stdout.splitlines()
    told = dict(line.split(maxsplit=1) for line in lines)
    assert set(told) == {"awa1", "awa2", "cub", "sun", "apy", "flo", "demo"}
    assert told["sun"] == "10 classes, 5 attributes, 60 of 60 images found"
    assert "put att_splits.mat" in told["cub"]
    rows = {row["name"]: row for row in json.loads(data("list", "--json").stdout)}
    assert rows["sun"]["images_present"] == 60
    assert not rows["cub"]["found"]


def test_check_of_a_sound_data_set(data: Callable[..., Result]) -> None:
    done = data("check", "sun")
    assert done.exit_code == 0, done.output
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    wanted = {"dataset": "sun", "seen": "7", "unseen": "3", "trainval": "35", "test_seen": "7", "decoded": "60"}
    assert {key: told[key] for key in wanted} == wanted
    assert json.loads(data("check", "sun", "--json").stdout)["problems"] == []


def test_check_of_a_broken_one_tells_and_fails(data: Callable[..., Result], sun_root: Path) -> None:
    broken = sun_root / "images" / "SUN" / "scene_0" / "sun_0.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    done = data("check", "sun")
    assert done.exit_code == 2
    assert str(broken) in done.stdout
    done = data("check", "sun", "--json")
    assert done.exit_code == 2
    assert str(broken) in json.loads(done.stdout)["problems"][0]


def test_table_of_a_folder_makes_it_a_data_set(data: Callable[..., Result], sun_root: Path, tmp_path: Path) -> None:
    images, tables = str(sun_root / "images" / "SUN"), str(tmp_path / "tables")
    done = data("table", "sun", images, "--out", tables)
    assert done.exit_code == 0, done.output
    assert f"wrote    {tables}/classes.csv" in done.stdout
    found = json.loads(data("check", images, "--class-table", tables, "--json").stdout)
    assert {k: found[k] for k in ("seen", "unseen", "attributes", "images")} == {
        "seen": 7, "unseen": 3, "attributes": 5, "images": 60
    }  # fmt: skip
    assert set(json.loads(data("table", "sun", images, "--out", tables, "--json").stdout)) >= {"files", "notes"}


def test_init_writes_a_table_to_fill_in(data: Callable[..., Result], sun_root: Path, tmp_path: Path) -> None:
    images = str(sun_root / "images" / "SUN")

    def init(*line: str) -> Result:
        return CliRunner().invoke(main, ["data", "init", images, "--out", str(tmp_path), *line])

    done = init("--attributes", "open, man-made")
    assert done.exit_code == 0, done.output
    assert f"wrote    {tmp_path}/classes.csv (10 classes)" in done.stdout
    assert (tmp_path / "classes.csv").read_text().startswith("class,split,open,man-made\nscene_0,,,\n")
    empty = data("check", images, "--class-table", str(tmp_path))
    assert empty.exit_code == 2
    assert "column 'open' has no numbers" in empty.stdout
    assert "column 'man-made' has no numbers" in empty.stdout
    assert init().exit_code == 2
    (tmp_path / "classes.csv").unlink()
    told = json.loads(init("--json").stdout)
    assert told == {"schema": 1, "file": f"{tmp_path}/classes.csv", "classes": 10, "attributes": []}
