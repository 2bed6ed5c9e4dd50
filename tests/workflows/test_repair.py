"""Damage is found, and repair makes only the damaged pieces again, each kind of store in its own way."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.store.feature_store import FeatureStore

EXTRACT = ("extract", "--backbone", "resnet18", "--weights", "random", "--image-size", "32", "--dataset", "sun")


@pytest.fixture
def store(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(main, [*EXTRACT, "--json"])
    return Path(json.loads(done.stdout)["store"])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_repair_restores_the_same_bytes(store: Path) -> None:
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


def lose_a_piece(store: Path) -> None:
    next((store / "pieces").iterdir()).unlink()


def test_an_imported_store_names_the_file_to_import_again(store: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.ones((60, 4), np.float32))
    again = ["import", str(tmp_path / "mine.npy"), "--dataset", "sun", "--json"]
    imported = Path(json.loads(CliRunner().invoke(main, again).stdout)["store"])
    before = contents(imported)
    lose_a_piece(imported)
    (tmp_path / "mine.npy").rename(tmp_path / "away.npy")
    repaired = CliRunner().invoke(main, ["cache", "repair", imported.name])
    assert repaired.exit_code == 2
    assert "import the same file again (zslpipe import mine.npy --dataset sun)" in repaired.stderr
    (tmp_path / "away.npy").rename(tmp_path / "mine.npy")
    assert CliRunner().invoke(main, ["cache", "repair", imported.name]).exit_code == 0
    assert contents(imported) == before
    lose_a_piece(imported)
    assert CliRunner().invoke(main, again).exit_code == 0
    assert contents(imported) == before
    lose_a_piece(imported)
    np.save(tmp_path / "mine.npy", np.zeros((60, 4), np.float32))
    repaired = CliRunner().invoke(main, ["cache", "repair", imported.name])
    assert repaired.exit_code == 2
    assert "has changed since" in repaired.stderr


@pytest.mark.parametrize("file", ["benchmark.npz", "features.zarr/zarr.json", "features.zarr/global/zarr.json"])
@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_metadata_come_back_byte_by_byte(store: Path, file: str, damage: bytes | None) -> None:
    before = contents(store)
    if damage is None:
        (store / file).unlink()
    else:
        (store / file).write_bytes(damage)
    repaired = CliRunner().invoke(main, ["cache", "repair", store.name])
    assert repaired.exit_code == 0, repaired.output
    assert contents(store) == before


def test_a_damaged_benchmark_is_read_from_a_named_dataset(store: Path, sun_root: Path) -> None:
    before = contents(store)
    (store / "benchmark.npz").write_bytes(b"")
    (sun_root / "xlsa17").rename(sun_root / "elsewhere")
    refused = CliRunner().invoke(main, ["cache", "repair", store.name])
    assert refused.exit_code == 2
    assert "--dataset" in refused.stderr
    (sun_root / "elsewhere").rename(sun_root / "xlsa17")
    assert CliRunner().invoke(main, ["cache", "repair", store.name, "--dataset", "sun"]).exit_code == 0
    assert contents(store) == before


def test_an_extraction_from_changed_images_does_not_repair_a_store(store: Path, sun_root: Path) -> None:
    image = next((sun_root / "images" / "SUN").rglob("*.jpg"))
    image.write_bytes(next(p for p in image.parent.iterdir() if p != image).read_bytes())
    lose_a_piece(store)
    repaired = CliRunner().invoke(main, ["cache", "repair", store.name])
    assert repaired.exit_code == 2
    assert f"{store.name} was made from (images, backbone, model or file) has changed since" in repaired.stderr


def test_a_kind_of_store_that_this_version_does_not_know(store: Path) -> None:
    opened = FeatureStore.open(store)
    request = {**opened.provenance["recorded"]["request"], "kind": "dreamt"}
    provenance = {**opened.provenance, "recorded": {"request": request}}
    FeatureStore.create(store.with_name("later"), opened.benchmark, opened.taps, provenance)
    repaired = CliRunner().invoke(main, ["cache", "repair", "later"])
    assert repaired.exit_code == 2
    assert "unknown kind of store 'dreamt'" in repaired.stderr


@pytest.mark.parametrize("edit", [{"taps": 3}, {"class_table": {}}, {"device": ["x"]}, {"more": 1}, {"backbone": 5}])
def test_a_request_of_a_stranger(store: Path, edit: dict[str, object]) -> None:
    opened = FeatureStore.open(store)
    request = {**opened.provenance["recorded"]["request"], **edit}
    provenance = {**opened.provenance, "recorded": {"request": request}}
    FeatureStore.create(store.with_name("theirs"), opened.benchmark, opened.taps, provenance)
    repaired = CliRunner().invoke(main, ["cache", "repair", "theirs"])
    assert repaired.exit_code == 2
    assert len(repaired.stderr.splitlines()) == 1, repaired.stderr
