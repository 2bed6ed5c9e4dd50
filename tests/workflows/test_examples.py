"""--examples: photos of unseen classes, from the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zslpipe
from zslpipe.cli import main
from zslpipe.files import read_json

SEEN = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "black": (0, 0, 0.2)}
UNSEEN = {"pink": (1, 0, 1), "white": (1, 1, 1)}
COLOURS = {**SEEN, **UNSEEN}


def paint(path: Path, colour: tuple[float, ...], seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 60, size=(40, 40, 3))
    Image.fromarray((255 * np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(path)


def run(place: Path, *line: str, code: int = 0) -> Any:
    done = CliRunner().invoke(main, [*line, "--cache", str(place / "cache")], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with features of painted images, photos of unseen classes (one of them a test image) and new ones."""
    folder = tmp_path_factory.mktemp("examples")
    for name, colour in COLOURS.items():
        for i in range(8):
            paint(folder / "paint" / name / f"{i}.png", colour, seed=i)
    lines = [
        "class,split,red,blueish",
        *(f"{n},{'seen' if n in SEEN else 'unseen'},{c[0]},{(c[1] + c[2]) / 3}" for n, c in COLOURS.items()),
    ]
    (folder / "paint" / "classes.csv").write_text("\n".join(lines))
    small = ("--backbone", "resnet10t", "--weights", "random", "--image-size", "32", "--taps", "global")
    run(folder, "extract", "--dataset", str(folder / "paint"), *small, "--workers", "1")
    for i in range(3):
        paint(folder / "photos" / "Pink" / f"{i}.png", COLOURS["pink"], seed=50 + i)
    shutil.copy(folder / "paint" / "white" / "3.png", (folder / "photos" / "white").with_suffix(".tmp"))
    (folder / "photos" / "white").mkdir()
    (folder / "photos" / "white.tmp").rename(folder / "photos" / "white" / "copy.png")
    paint(folder / "new" / "pink.png", COLOURS["pink"], seed=99)
    return folder


@pytest.mark.parametrize("more", [(), ("--refit",)])
def test_training_with_examples(place: Path, more: tuple[str, ...]) -> None:
    told = json.loads(run(place, "train-head", "eszsl", "--examples", str(place / "photos"), *more, "--json").stdout)
    folder = Path(told["run"])
    about = read_json(folder / "run.json")
    assert about["notes"] == [
        "4 photos of 2 unseen classes are taken into account; test images among them (1) are no longer tested on."
    ]
    assert about["request"]["examples"]["refit"] == bool(more)
    assert (folder / "seed-0" / "photos.safetensors").is_file()
    (row,) = json.loads(run(place, "eval", told["run"], "--json").stdout)
    assert row["seeds"]["0"]["classes"]["images"] == [2, 2, 2, 2, 2, 8, 7]  # the copy is no test image any more
    line = ("predict", told["run"], str(place / "new" / "pink.png"), "--top", "7", "--workers", "1", "--json")
    (with_photos,) = json.loads(run(place, *line).stdout)["predictions"]
    assert next(c["class"] for c in with_photos["classes"] if not c["seen"]) == "pink"


def test_predicting_with_examples(place: Path) -> None:
    told = json.loads(run(place, "train-head", "eszsl", "--json").stdout)
    line = ("predict", told["run"], str(place / "new" / "pink.png"), "--top", "7", "--workers", "1", "--json")
    shutil.copytree(place / "photos" / "Pink", place / "pink only" / "pink", dirs_exist_ok=True)

    def scores(*more: str) -> dict[str, float]:
        (one,) = json.loads(run(place, *line, *more).stdout)["predictions"]
        return {c["class"]: c["score"] for c in one["classes"]}

    plain, some = scores(), scores("--examples", str(place / "pink only"))
    assert some["pink"] > plain["pink"]
    assert {k: v for k, v in some.items() if k != "pink"} == {k: v for k, v in plain.items() if k != "pink"}
    assert (Path(told["run"]) / "seed-0" / "mixing.json").is_file()  # the next call need not choose it again
    assert scores("--examples", str(place / "pink only")) == some
    loaded = zslpipe.load(told["run"], examples=place / "pink only", cache=place / "cache", device="cpu")
    assert loaded.predict(place / "new" / "pink.png", top=1)[0].candidates[0].score == pytest.approx(max(some.values()))
    refitted = scores("--examples", str(place / "pink only"), "--refit")
    assert refitted != some


def test_explaining_with_examples(place: Path) -> None:
    told = json.loads(run(place, "train-head", "eszsl", "--json").stdout)
    line = ("explain", told["run"], str(place / "new" / "pink.png"), "--class", "white", "--class", "pink", "--json")

    def explained(*more: str) -> dict[str, Any]:
        (one,) = json.loads(run(place, *line, *more).stdout)
        return dict(one)

    plain, shown = explained(), explained("--examples", str(place / "photos"))
    for one in (plain, shown):
        parts = [term["contribution"] for term in one["contrast"]["terms"]]
        rest = [one["contrast"][name] for name in ("others", "remainder", "calibration", "photos")]
        assert sum(parts) + sum(rest) == pytest.approx(one["contrast"]["difference"], rel=1e-3, abs=1e-4)
        assert one["contrast"]["remainder"] == pytest.approx(0, abs=1e-3)  # so what photos add is all of the rest
    assert plain["contrast"]["photos"] == 0
    assert shown["contrast"]["photos"] != 0
    again = ("predict", *line[1:3], "--top", "7", "--json", "--examples", str(place / "photos"))
    (predicted,) = json.loads(run(place, *again).stdout)["predictions"]
    scores = {c["class"]: c["score"] for c in predicted["classes"]}
    assert {c["class"]: pytest.approx(c["score"], abs=1e-4) for c in shown["classes"]}.items() <= scores.items()


def test_examples_of_a_new_class(place: Path) -> None:
    told = json.loads(run(place, "train-head", "eszsl", "--json").stdout)
    (place / "more.csv").write_text("class,red,blueish\norange,1,0.17\n")
    for i in range(2):
        paint(place / "oranges" / "orange" / f"{i}.png", (1, 0.5, 0), seed=i)
    line = ("predict", told["run"], str(place / "oranges"), "--top", "8", "--workers", "1", "--json")
    line = (*line, "--classes", str(place / "more.csv"), "--examples", str(place / "oranges"))
    for more in ((), ("--refit",)):
        found = json.loads(run(place, *line, *more).stdout)["predictions"]
        assert all("orange" in [c["class"] for c in one["classes"]] for one in found)


def test_wrong_requests(place: Path, tmp_path: Path) -> None:
    told = json.loads(run(place, "train-head", "eszsl", "--json").stdout)
    image = str(place / "new" / "pink.png")
    (tmp_path / "empty").mkdir()
    shutil.copytree(place / "paint" / "red", tmp_path / "seen" / "red")
    shutil.copytree(place / "paint" / "red", tmp_path / "strange" / "pinc")
    (tmp_path / "bad" / "pink").mkdir(parents=True)
    (tmp_path / "bad" / "pink" / "x.png").write_text("no image")
    for folder, message in (
        ("empty", "has no photos: expected"),
        ("gone", "folder not found"),
        ("seen", "has photos of 1 classes with training images (red)"),
        ("strange", "'pinc' (did you mean 'pink'?) is no class of the run"),
        ("bad", "cannot be used as an example"),
    ):
        for line in (("predict", told["run"], image), ("train-head", "eszsl")):
            done = run(place, *line, "--examples", str(tmp_path / folder), code=2)
            assert message in done.stderr
            assert len(done.stderr.splitlines()) == 1
    for line in (("predict", told["run"], image), ("train-head", "eszsl")):
        assert "nothing to refit with" in run(place, *line, "--refit", code=2).stderr
