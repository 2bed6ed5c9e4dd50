"""A damaged store is noticed, and only what was damaged is extracted again."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from zslpipe.cli import main

EXTRACT = ("extract", "--backbone", "resnet18", "--weights", "random", "--image-size", "32", "--dataset", "sun")


@pytest.fixture
def store(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(main, [*EXTRACT, "--json"])
    return Path(json.loads(done.stdout)["store"])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_repair_gives_back_the_very_same_bytes(store: Path) -> None:
    before = contents(store)
    chunk = next(p for p in (store / "features.zarr" / "region").iterdir() if p.name.startswith("c."))
    damaged = bytearray(chunk.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    chunk.write_bytes(damaged)
    assert CliRunner().invoke(main, ["cache", "verify"]).exit_code == 1
    repaired = CliRunner().invoke(main, ["cache", "repair", store.name, "--json"], catch_exceptions=False)
    assert json.loads(repaired.stdout)["damaged"] == 1
    assert contents(store) == before
    assert CliRunner().invoke(main, ["cache", "verify"]).exit_code == 0
