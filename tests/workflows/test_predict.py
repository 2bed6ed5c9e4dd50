"""zslpipe predict: a run names new images and new classes, with the features that it was trained on."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zslpipe
from tests.painted import COLOURS, make_place, paint
from zslpipe.cli import main
from zslpipe.errors import InputError
from zslpipe.files import read_json, write_json
from zslpipe.serving.predictor import Predictor
from zslpipe.workflows.run_record import write_record


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cache in which a run of eszsl was trained on extracted features of painted images."""
    return make_place(tmp_path_factory.mktemp("predict"))


@pytest.fixture(scope="module")
def run(place: Path) -> str:
    (found,) = (place / "cache" / "runs").iterdir()
    return found.name


def predict(place: Path, *line: str, told: str | None = None) -> Any:
    line = ("predict", *line, "--workers", "1", "--cache", str(place / "cache"))
    return CliRunner().invoke(main, line, input=told, catch_exceptions=False)


def test_a_stored_image_has_the_features_of_the_store(place: Path, run: str) -> None:
    """So that a head is given just what it was trained on; batches of another size differ by rounding."""
    predictor = zslpipe.load(run, cache=place / "cache")
    (store,) = (place / "cache" / "stores").iterdir()
    stored = zslpipe.open_store(store)
    root, ids = stored.benchmark.image_root, stored.benchmark.image_ids
    assert root is not None
    found: dict[int, np.ndarray] = {}
    predictor.images.each(
        [root / i for i in ids], lambda rows, features, _: found.update(zip(rows, features["global"])), 8, 1
    )
    made = np.stack([found[row] for row in range(len(ids))])
    assert made.dtype == np.float16
    np.testing.assert_allclose(made, stored.rows("global")[:], rtol=2e-3, atol=1e-3)


def test_from_python(place: Path, run: str) -> None:
    predictor = zslpipe.load(place / "cache" / "runs" / run, cache=place / "cache")
    files = sorted((place / "new").glob("*.png"))
    found = predictor.predict(files, top=2)
    assert [one.image for one in found] == list(map(str, files))
    assert all(len(one.candidates) == 2 for one in found)
    for one in found:
        first, second = one.candidates
        assert first.score >= second.score
        assert first.probability is not None
        assert second.probability is not None
        assert 1 >= first.probability >= second.probability >= 0
        assert first.kind == COLOURS[first.name][0]
    right = [Path(one.image).stem == one.name for one in found]
    assert np.mean(right) > 0.5
    with Image.open(files[0]) as opened:
        (of_image,), (of_array,) = predictor.predict(opened), predictor.predict(np.asarray(opened))
    assert of_image.candidates == of_array.candidates == predictor.predict(files[0])[0].candidates
    assert predictor.predict([]) == []
    (bad,) = predictor.predict(np.zeros((2, 3), bool))
    assert bad.error


def test_a_folder_a_file_and_a_list_give_the_same(place: Path, run: str) -> None:
    files = sorted(map(str, (place / "new").glob("*.png")))
    ways = [
        predict(place, run, str(place / "new"), "--json"),
        predict(place, run, *files, "--json"),
        predict(place, run, "-", "--json", told="\n".join(files) + "\n\n"),
    ]
    told = [json.loads(way.stdout)["predictions"] for way in ways]
    assert told[0] == told[1] == told[2]
    assert [one["image"] for one in told[0]] == files
    assert all(len(one["classes"]) == 3 for one in told[0])


def test_csv_and_text(place: Path, run: str) -> None:
    rows = list(csv.DictReader(io.StringIO(predict(place, run, str(place / "new"), "--csv", "--top", "2").stdout)))
    assert len(rows) == 2 * len(COLOURS)
    assert [row["rank"] for row in rows[:2]] == ["1", "2"]
    assert float(rows[0]["score"]) >= float(rows[1]["score"])
    text = predict(place, run, str(place / "new" / "red.png")).stdout
    assert f"({rows[0]['kind']})" in predict(place, run, rows[0]["image"]).stdout
    assert " %" in text
    assert predict(place, run, str(place / "new"), "--csv", "--json").exit_code == 2


def test_new_classes_without_training(place: Path, run: str, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("blue,class,Red,green,extra\n0.5,grey,0.5,0.5,7\n0.1,orange,1,0.5,7\n1,white,1,1,1\n")
    predictor = zslpipe.load(run, cache=place / "cache")
    more = predictor.with_classes(table)
    assert more.classes.names == (*predictor.classes.names, "grey", "orange")  # white is known already
    assert more.classes.semantics[-1].tolist() == pytest.approx([1, 0.5, 0.1])
    assert [more.classes.kind(c) for c in (-3, -2, -1)] == ["unseen", "new", "new"]
    paint(tmp_path / "orange.png", (1, 0.5, 0.1), seed=5)
    done = predict(place, run, str(tmp_path / "orange.png"), "--classes", str(table), "--top", "10", "--json")
    (one,) = json.loads(done.stdout)["predictions"]
    kinds = {c["class"]: c["kind"] for c in one["classes"]}
    assert {kinds["orange"], kinds["grey"]} == {"new"}
    scores = predictor.predict(tmp_path / "orange.png", top=8)[0].candidates
    old = {c["class"]: c["score"] for c in one["classes"]}
    assert all(old[c.name] == pytest.approx(c.score, abs=1e-5) for c in scores)  # the others keep their scores


def rewrite(choice: Path, values: dict[str, Any]) -> None:
    """Change what a seed of a run has chosen, and the checksums of the run."""
    write_json(choice, values)
    folder = choice.parents[1]
    write_record(folder, read_json(folder / "run.json"))


def test_none_of_these(place: Path, run: str) -> None:
    choice = place / "cache" / "runs" / run / "seed-0" / "choice.json"
    before = read_json(choice)
    try:
        for threshold, known, words in ((-1e9, True, ""), (1e9, False, "none of these; nearest: ")):
            rewrite(choice, {**before, "confidence": {**before["confidence"], "threshold": threshold}})
            done = predict(place, run, str(place / "new"), "--reject", "--json")
            assert {one["known"] for one in json.loads(done.stdout)["predictions"]} == {known}
            assert words in predict(place, run, str(place / "new" / "red.png"), "--reject").stdout
    finally:
        rewrite(choice, before)
    plain = predict(place, run, str(place / "new"), "--json")
    assert {one["known"] for one in json.loads(plain.stdout)["predictions"]} == {None}


def test_a_run_from_before_temperatures(place: Path, run: str) -> None:
    choice = place / "cache" / "runs" / run / "seed-0" / "choice.json"
    before = read_json(choice)
    try:
        rewrite(choice, {k: v for k, v in before.items() if k != "confidence"})
        done = predict(place, run, str(place / "new" / "red.png"))
        assert done.exit_code == 0
        assert "score" in done.stdout
        assert "no probabilities" in done.stderr
        refused = predict(place, run, str(place / "new"), "--reject")
        assert refused.exit_code == 2
        assert "no threshold" in refused.stderr
    finally:
        rewrite(choice, before)


def test_bad_images_do_not_stop_the_others(place: Path, run: str, tmp_path: Path) -> None:
    good, bad, gone = place / "new" / "red.png", tmp_path / "bad.png", tmp_path / "gone.png"
    bad.write_text("not an image")
    done = predict(place, run, str(bad), str(good), str(gone), "--json", "--page", str(tmp_path / "page.html"))
    assert done.exit_code == 1
    told = json.loads(done.stdout)["predictions"]
    assert ["error" in one for one in told] == [True, False, True]
    assert done.stderr.count("zslpipe: the image") == 2
    assert "gone.png does not exist" in done.stderr
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure>") == 3
    assert page.count("data:image/jpeg") == 1
    assert predict(place, run, str(bad), str(good)).stdout.count("\n") == 1


def test_an_interruption_promises_nothing(place: Path, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "timed", interrupted)
    stopped = predict(place, run, str(place / "new"))
    assert stopped.exit_code == 130
    assert stopped.stderr == "zslpipe: interrupted; predictions are printed at the end; nothing was printed yet.\n"


def test_wrong_requests(place: Path, run: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "more.csv").write_text("class,red\ngrey,1\n")
    good = str(place / "new" / "red.png")
    for line, told in (
        ((run, str(tmp_path / "empty")), "has no images"),
        ((run, "-"), "there are no images"),
        (("other", good), "unknown run"),
        ((run, good, "--seed", "7"), "has no seed 7"),
        ((run, good, "--classes", str(tmp_path / "more.csv")), "lacks 2 of the 3 attributes"),
    ):
        done = predict(place, *line, told="")
        assert done.exit_code == 2, done.output
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_another_backbone_is_refused(place: Path, run: str) -> None:
    images = zslpipe.load(run, cache=place / "cache").images
    changed = {**images.provenance["fingerprinted"], "weights": "0" * 64}
    other = type(images)({**images.provenance, "fingerprinted": changed}, images.taps, "cpu", "the store")
    with pytest.raises(InputError, match=r"is not the one that made the store .*weights"):
        _ = other.backbone


def test_imported_features_cannot_be_made_for_new_images(with_imported: tuple[Predictor, Path]) -> None:
    predictor, image = with_imported
    with pytest.raises(InputError, match="was not extracted from images"):
        predictor.predict(image)


@pytest.fixture
def with_imported(place: Path, tmp_path: Path) -> tuple[Predictor, Path]:
    """A run on features that were imported."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32))
    cache = ("--cache", str(tmp_path / "cache"))
    for line in (("import", str(tmp_path / "x.npy"), "--dataset", str(place / "paint")), ("train-head", "eszsl")):
        done = CliRunner().invoke(main, [*line, *cache])
        assert done.exit_code == 0, done.output
    return zslpipe.load(cache=tmp_path / "cache"), place / "new" / "red.png"


def test_a_new_picture_is_explained(place: Path, run: str, tmp_path: Path) -> None:
    line = ["explain", run, str(place / "new" / "pink.png"), "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(main, [*line, "--cache", str(place / "cache")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)
    assert told["true"] is None
    assert told["maps"] == []
    assert told["contrast"]["winner"] == told["predicted"]
    with Image.open(told["picture"]) as picture:
        assert picture.format == "PNG"
    known = ["explain", run, str(place / "paint" / "red" / "3.png"), "--out", str(tmp_path), "--json"]
    (told,) = json.loads(CliRunner().invoke(main, [*known, "--cache", str(place / "cache")]).stdout)
    assert (told["image"], told["true"]) == ("red/3.png", "red")
