"""zslpipe export RUN: one file that gives the results of Python, for any images and classes."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zslpipe
from tests.painted import make_place
from zslpipe.cli import main
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extract.decode import read_image
from zslpipe.serving.exporting import formats
from zslpipe.serving.exporting.card import plain
from zslpipe.workflows import export_run as workflow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("exported"))


def export(place: Path, *line: str) -> Any:
    return CliRunner().invoke(main, ["export", *line, "--cache", str(place / "cache")], catch_exceptions=False)


@pytest.mark.parametrize("format_", ["onnx", "program"])
def test_the_file_gives_the_results_of_python(place: Path, tmp_path: Path, format_: str) -> None:
    if format_ == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    done = export(place, "--format", format_, "--out", str(tmp_path / "model"), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    found = told["check"]
    assert found["images"] > 5
    assert found["same"] == found["images"]
    assert found["score"] <= 2e-3 * found["spread"]

    predictor = zslpipe.load(cache=place / "cache")
    with (tmp_path / "model" / "new.csv").open("w") as stream:
        stream.write("class,red,green,blue\norange,1,0.5,0\n")
    predictor = predictor.with_classes(tmp_path / "model" / "new.csv")
    files = sorted((place / "new").glob("*.png"))
    expected = predictor.predict(files, top=9)
    pixels = np.stack([predictor.images.backbone.transform(read_image(file)) for file in files])
    run = opened(tmp_path / "model" / formats.FILES[format_])
    for rows in (slice(0, 1), slice(None)):
        scores, chances = run(pixels[rows], predictor.classes.semantics, predictor.classes.seen)
        for one, row, chance in zip(expected[rows], scores, chances):
            for candidate in one.candidates:
                c = predictor.classes.names.index(candidate.name)
                assert row[c] == pytest.approx(candidate.score, abs=1e-3 * float(scores.std()))
                assert chance[c] == pytest.approx(candidate.probability, abs=1e-3)


def opened(file: Path) -> Any:
    """As somebody without zslpipe would open it."""
    if file.suffix == ".pt2":
        module = torch.export.load(file).module()
        return lambda *values: [out.detach().numpy() for out in module(*map(torch.from_numpy, values))]
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file))
    names = [given.name for given in session.get_inputs()]
    assert names == ["pixels", "semantics", "seen"]
    return lambda *values: session.run(["scores", "probabilities"], dict(zip(names, values)))


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    done = export(place, "--format", "program", "--out", str(place / "model"))
    assert done.exit_code == 0, done.output
    assert "named alike; scores differ by at most" in done.output
    assert "images/s, in Python" in done.output
    return place / "model"


def test_the_class_table_describes_the_classes_exactly(place: Path, model: Path) -> None:
    benchmark = zslpipe.load(cache=place / "cache").classes
    head, *lines = csv.reader((model / "classes.csv").read_text().splitlines())
    assert head == ["class", "split", "red", "green", "blue"]
    assert [line[0] for line in lines] == list(benchmark.names)
    assert [line[1] == "seen" for line in lines] == benchmark.seen.tolist()
    assert np.array_equal(np.array([line[2:] for line in lines], np.float32), benchmark.semantics)
    assert np.array_equal(np.load(model / "semantics.npy"), benchmark.semantics)
    about = json.loads((model / "model.json").read_text())
    assert about["classes"] == list(benchmark.names)
    assert about["transform"]["size"] == [32, 32]


def test_the_card_has_intervals_and_what_the_numbers_do_not_say(place: Path, model: Path) -> None:
    card = (model / "README.md").read_text()
    evaluation = json.loads(next((place / "cache" / "runs").glob("*/evaluation.json")).read_text())
    ((_, result),) = evaluation["seeds"].items()
    assert f"| {100 * result['H']:.1f} \\[" in card
    assert "95 % interval" in card
    assert "## What the numbers do not say" in card
    assert "test images of paint alone" in card
    assert card.startswith("---\nlibrary_name: zslpipe\n")
    assert str(place) not in card + (model / "model.json").read_text(), "names a folder of this machine"


def test_names_in_a_card_are_text() -> None:
    assert plain("<b>a|b\n# c") == "\\<b\\>a\\|b \\# c"


def test_an_export_that_differs_is_not_written(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*given: Any) -> formats.Runner:
        run = formats.write_program(*given)
        return lambda *values: (run(*values)[0] + 0.05, run(*values)[1])

    monkeypatch.setitem(workflow.WRITERS, "program", wrong)
    with pytest.raises(ZslpipeError, match="is not the run: scores differ by up to"):
        workflow.export_run(workspace(place), None, tmp_path / "model", format_="program")
    assert list(tmp_path.iterdir()) == []


def workspace(place: Path) -> Any:
    from zslpipe.workflows.workspace import Workspace

    return Workspace.at(cache=place / "cache")


def test_an_earlier_export_is_replaced_and_nothing_else(place: Path, model: Path, tmp_path: Path) -> None:
    (model / "old.txt").write_text("of the earlier export")
    assert export(place, "--format", "program", "--out", str(model)).exit_code == 0
    assert not (model / "old.txt").exists()
    (tmp_path / "mine.txt").write_text("precious")
    done = export(place, "--format", "program", "--out", str(tmp_path))
    assert done.exit_code == 2
    assert "other files" in done.output
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_images_for_the_comparison(place: Path, tmp_path: Path) -> None:
    done = export(place, "--format", "program", "--out", str(tmp_path / "m"), "--image", str(place / "new"), "--json")
    assert json.loads(done.stdout)["check"]["images"] == 8
    (tmp_path / "bad.png").write_text("no image")
    done = export(place, "--format", "program", "--out", str(tmp_path / "n"), "--image", str(tmp_path / "bad.png"))
    assert done.exit_code == 2
    assert "give other images with --image" in done.output


def test_an_absent_library_is_asked_for(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"needs onnxscript: pip install 'zslpipe\[onnx\]'"):
        workflow.export_run(workspace(place), None, tmp_path / "model", format_="onnx")
    assert list(tmp_path.iterdir()) == []
