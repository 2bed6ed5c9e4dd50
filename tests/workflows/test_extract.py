"""What `extract` writes into a store's header."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from zslpipe.backbones.engine import PRECISIONS
from zslpipe.cli import main
from zslpipe.cli.extract import command
from zslpipe.data.benchmark import Benchmark
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.workspace import Workspace


def test_grids_are_stated_only_if_they_are_unusual(sun_root: Path, tmp_path: Path) -> None:
    workspace, taps = Workspace.at(sun_root, tmp_path / "cache"), ("global", "region", "trunk")
    size: tuple[int, int]
    for size, stated in (((64, 64), None), ((96, 64), [3, 2])):
        done = extract_store(workspace, "sun", "resnet18", weights="random", image_size=size, taps=taps, device="cpu")
        store = FeatureStore.open(done.store.path)
        assert store.taps["region"].header().get("grid") == stated
        assert store.taps["region"].grid == (size[0] // 32, size[1] // 32)
        assert store.taps["trunk"].shape == (size[0] // 16, size[1] // 16, 256)
        assert "grid" not in store.taps["trunk"].header()
        assert store.rows("trunk")[:2].shape == (2, *store.taps["trunk"].shape)


def test_compile_is_passed_on_and_recorded(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module: module)
    options = ["--backbone", "resnet18", "--dataset", "sun", "--weights", "random", "--image-size", "64"]
    places = ["--data-root", str(sun_root), "--cache", str(tmp_path)]
    stores = []
    for flag in ([], ["--compile"]):
        done = CliRunner().invoke(main, ["extract", *options, *places, *flag], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        (line,) = (line for line in done.output.splitlines() if line.startswith("store "))
        stores.append(FeatureStore.open(Path(line.split(maxsplit=1)[1])))
    plain, compiled = (store.provenance for store in stores)
    assert "engine" not in plain["fingerprinted"]
    assert "compile" not in plain["recorded"]["request"]
    assert compiled["fingerprinted"]["engine"] == "compile"
    assert compiled["recorded"]["request"]["compile"] is True


def test_every_precision_is_offered() -> None:
    (option,) = (p for p in command.params if p.name == "precision")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(PRECISIONS)


def test_an_interruption_says_what_is_kept_and_the_next_call_continues(
    sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["extract", "--backbone", "resnet18", "--dataset", "sun", "--weights", "random", "--image-size", "32"]
    line += ["--batch-size", "8", "--device", "cpu", "--data-root", str(sun_root), "--cache", str(tmp_path)]
    write, written = FeatureStore.write_piece, []

    def interrupted(store: FeatureStore, piece: int, *rest: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(len(store.piece_rows_of(piece)))
        write(store, piece, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(FeatureStore, "write_piece", interrupted)
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 130, done.output
    assert f"zslpipe: interrupted; {sum(written)} of 60 images are kept in {tmp_path}" in done.stderr
    assert all(0 < rows <= 16 for rows in written)  # some seconds of work on a CPU
    monkeypatch.setattr(FeatureStore, "write_piece", write)
    done = CliRunner().invoke(main, line)
    assert f"{60 - sum(written)} computed, {sum(written)} reused" in done.output


def test_a_store_with_other_pieces_is_continued(
    sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zslpipe.workflows import extract

    workspace = Workspace.at(sun_root, tmp_path / "cache")
    options = {"weights": "random", "image_size": 32, "device": "cpu", "batch_size": 8}
    monkeypatch.setattr(extract, "SLOW_BATCHES", 1000)  # as earlier versions did
    old = extract_store(workspace, "sun", "resnet18", **options).store  # type: ignore[arg-type]
    old.forget([0])
    monkeypatch.undo()
    done = extract_store(workspace, "sun", "resnet18", **options)  # type: ignore[arg-type]
    assert (done.store.path, done.store.piece_rows, done.computed) == (old.path, 60, 60)


def test_rows_that_are_missing_are_told_on_standard_error_with_json_too(
    tiny: tuple[Benchmark, np.ndarray], tmp_path: Path
) -> None:
    benchmark, features = tiny
    provenance = {"fingerprinted": {"backbone": {"name": "fake"}}, "recorded": {}}
    taps = {"global": TapSpec((16,), "float32")}
    features[5] = 0
    store = FeatureStore.create(tmp_path / "stores" / "tiny", benchmark, taps, provenance)
    store.write_piece(0, {"global": features}, {5: Failure("0/5.jpg", "cannot be read", "pillow")})
    for line in (["train-head", "eszsl"], ["eval", "--gzsl"]):
        done = CliRunner().invoke(main, [*line, "--json", "--cache", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert "0 rows are not extracted and 1 failed; they are left out." in done.stderr
        json.loads(done.stdout)


def test_classes_without_attributes_are_told_before_the_extraction(tmp_path: Path) -> None:
    for name, colour in {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 255, 0)}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (40, 40), colour).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / "classes.csv").write_text("class,split\nred,seen\nblue,seen\ngreen,unseen\n")
    with pytest.warns(UserWarning, match="photos: no head can be trained yet, since the classes have no attributes"):
        extract_store(
            Workspace.at(tmp_path, tmp_path / "cache"),
            str(tmp_path / "photos"),
            "resnet18",
            weights="random",
            image_size=32,
            device="cpu",
        )
