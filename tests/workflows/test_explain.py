"""zslpipe explain: from a run and the name of an image to a picture and the numbers in it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from zslpipe.cli import main
from zslpipe.data.benchmark import Benchmark
from zslpipe.serving.attribute_estimate import Estimate, Estimated
from zslpipe.serving.explain import explain
from zslpipe.serving.explanation_text import estimate_bars, map_caption, maps_title
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import take
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.predict import predictor_of
from zslpipe.workflows.runs import find_run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

REGIONS, WIDTH, WORDS = 9, 16, 4
HEADS = ("dense-attention-ae", "attention-net", "eszsl", "gfzsl")
OTHERS = ("gfzsl-softmax",)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Benchmark, dict[str, str]]:
    """A store with pictures, and a run of each head on it."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("explain")
    classes, each, attributes = 8, 8, 6
    labels = np.repeat(np.arange(classes), each)
    order = np.arange(len(labels)).reshape(classes, each)
    ids = tuple(f"c{c}/{i}.png" for c in range(classes) for i in range(each))
    for image in ids:
        (folder / "images" / image).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(255, size=(40, 60, 3), dtype=np.uint8)).save(folder / "images" / image)
    semantics = rng.uniform(size=(classes, attributes)).astype(np.float32)
    benchmark = Benchmark(
        name="tiny",
        class_names=tuple(f"class {c}" for c in range(classes)),
        semantics=semantics,
        attribute_names=tuple(f"part {a}" for a in range(attributes)),
        image_ids=ids,
        labels=labels,
        trainval=order[:6, :6].ravel(),
        test_seen=order[:6, 6:].ravel(),
        test_unseen=order[6:].ravel(),
        attribute_vectors=rng.normal(size=(attributes, WORDS)).astype(np.float32),
        image_root=folder / "images",
    )
    transform = {"size": [30, 30], "crop_pct": 1.0, "interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3}
    provenance: dict[str, Any] = {"fingerprinted": {"backbone": "none", "transform": transform}, "recorded": {}}
    workspace = Workspace(folder / "data", folder / "cache")
    taps = {"global": TapSpec((WIDTH,), "float16"), "region": TapSpec((REGIONS, WIDTH), "float16")}
    store = FeatureStore.create(workspace.stores / "tiny", benchmark, taps, provenance, piece_rows=len(labels))
    regions = np.abs(
        rng.normal(size=(len(labels), REGIONS, WIDTH)) + (semantics @ rng.normal(size=(6, WIDTH)))[labels, None]
    )
    store.write_piece(0, {"region": regions.astype(np.float16), "global": regions.mean(1).astype(np.float16)})
    names = {}
    for head in (*HEADS, *OTHERS):
        own = {"attention-net": {"epochs": 1}, "dense-attention-ae": {"epochs": 1}, "gfzsl-softmax": {"synthetic": 20}}
        settings = own.get(head, {})
        names[head] = train_head(workspace, head, store, settings=settings)[0].name
    return workspace, benchmark, names


def zslpipe(workspace: Workspace, *line: str) -> Any:
    return CliRunner().invoke(main, ["explain", *line, "--cache", str(workspace.cache)], catch_exceptions=False)


def test_true_class_and_three_wrong_ones(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, _, names = runs
    result = zslpipe(workspace, names["dense-attention-ae"], "c7/3.png", "0", "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert (first["image"], first["true"]) == ("c7/3.png", "class 7")
    assert (second["image"], second["true"]) == ("c0/0.png", "class 0")
    for told in (first, second):
        assert [one["role"] for one in told["maps"]] == ["true class"] + 3 * ["wrong class"]
        assert told["maps"][0]["name"] == told["true"]
        wrong = [one["score"] for one in told["maps"][1:]]
        assert wrong == sorted(wrong, reverse=True)
        best = max(told["maps"], key=lambda one: one["score"])
        assert best["name"] == told["predicted"]
        for one in told["maps"]:
            assert len(one["attention"]) == REGIONS
            assert sum(one["attention"]) == pytest.approx(1, abs=1e-4)
        with Image.open(told["picture"]) as picture:
            assert picture.format == "PNG"
            assert picture.width > picture.height


def test_a_head_that_attends_by_attribute_shows_those_of_the_class(
    runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path
) -> None:
    workspace, benchmark, names = runs
    result = zslpipe(workspace, names["attention-net"], "10", "--others", "1", "--out", str(tmp_path), "--json")
    (told,) = json.loads(result.stdout)
    above = benchmark.semantics[1] - benchmark.semantics.mean(0)
    assert [one["name"] for one in told["maps"]] == [f"part {a}" for a in np.argsort(-above)[:2]]
    assert {one["role"] for one in told["maps"]} == {"attribute"}
    assert Path(told["picture"]) == tmp_path / "c1-2.png"


def test_any_class_can_be_asked_for(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, benchmark, names = runs
    asked = ("--class", "class 5", "--class", "class 1", "--class", "class 7", "--json")
    (told,) = json.loads(zslpipe(workspace, names["dense-attention-ae"], "c7/3.png", *asked).stdout)
    assert [one["name"] for one in told["maps"]] == ["class 7", "class 5", "class 1"]
    (told,) = json.loads(zslpipe(workspace, names["attention-net"], "c7/3.png", *asked).stdout)
    above = benchmark.semantics[5] - benchmark.semantics.mean(0)
    assert [one["name"] for one in told["maps"]] == [f"part {a}" for a in np.argsort(-above)[:4]]
    refused = zslpipe(workspace, names["attention-net"], "0", "--class", "clas 5")
    assert refused.exit_code == 2
    assert "class 5" in refused.stderr


def test_for_people(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, _, names = runs
    result = zslpipe(workspace, names["dense-attention-ae"], "c2/1.png")
    assert "c2/1.png   predicted class" in result.output
    assert str(Path("explain") / "c2-1.png") in result.output


@pytest.mark.parametrize(
    ("head", "image", "told"),
    [
        (
            "dense-attention-ae",
            "c7/33.png",
            "tiny has no image 'c7/33.png', and there is no such file: did you mean c7/3.png",
        ),
        ("dense-attention-ae", "64", "tiny has no image '64'"),
        ("dense-attention-ae", "3.png", "8 images of tiny match 3.png: give one as c0/3.png"),
    ],
)
def test_wrong_requests(runs: tuple[Workspace, Benchmark, dict[str, str]], head: str, image: str, told: str) -> None:
    workspace, _, names = runs
    result = zslpipe(workspace, names[head], image)
    assert result.exit_code == 2
    assert told in result.output
    assert result.output.count("\n") == 1


def test_a_picture_that_is_gone_is_named(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, benchmark, names = runs
    assert benchmark.image_root is not None
    (benchmark.image_root / "c3/0.png").unlink()
    result = zslpipe(workspace, names["dense-attention-ae"], "c3/0.png")
    assert result.exit_code == 2
    assert "c3/0.png does not exist" in result.output


def test_an_image_of_no_class_shows_the_strongest(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, _, names = runs
    run = find_run(workspace.runs, names["dense-attention-ae"])
    features = take(store_of_run(workspace, run).features(), np.array([0]))
    told = explain(predictor_of(workspace, run), features, "unlabelled")
    assert told.true is None
    assert len(told.maps) == 4
    assert told.maps[0].name == told.predicted
    assert [one.predicted for one in told.maps] == [True, False, False, False]


@pytest.mark.parametrize("head", HEADS)
def test_every_head_says_what_spoke_for_the_winner(
    runs: tuple[Workspace, Benchmark, dict[str, str]], head: str, tmp_path: Path
) -> None:
    workspace, benchmark, names = runs
    result = zslpipe(workspace, names[head], "c7/3.png", "c0/0.png", "--json", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    for told in json.loads(result.stdout):
        best, second = told["classes"][:2]
        assert best["class"] == told["predicted"]
        assert 0 < best["probability"] < 1
        contrast = told["contrast"]
        wrong = told["true"] != told["predicted"]
        assert contrast["rival"] == (told["true"] if wrong else second["class"])
        parts = [term["contribution"] for term in contrast["terms"]]
        assert parts == sorted(parts, reverse=True)
        total = sum(parts) + contrast["others"] + contrast["remainder"] + contrast["calibration"] + contrast["photos"]
        assert total == pytest.approx(contrast["difference"], rel=1e-3, abs=1e-4)
        winner = benchmark.class_names.index(contrast["winner"])
        term = contrast["terms"][0]
        column = benchmark.attribute_names.index(term["attribute"])
        assert term["winner"] == pytest.approx(benchmark.semantics[winner, column])
        assert (term["compared"] is not None) == (head == "attention-net")
        assert bool(told["maps"]) == ("zsl" not in head)
        assert head == "gfzsl" or contrast["remainder"] == pytest.approx(0, abs=1e-3)


def test_a_head_whose_scores_are_not_made_of_attributes_says_so(
    runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path
) -> None:
    workspace, _, names = runs
    page = tmp_path / "why.html"
    assert zslpipe(workspace, names["gfzsl-softmax"], "0", "--out", str(page)).exit_code == 0
    assert "The scores of gfzsl-softmax are not sums over attributes" in page.read_text()
    (told,) = json.loads(zslpipe(workspace, names["gfzsl-softmax"], "0", "--json").stdout)
    assert told["contrast"] is None


@pytest.mark.parametrize("head", ["gfzsl", "gfzsl-softmax", "eszsl", "attention-net"])
def test_attributes_are_estimated_for_heads_that_predict_none(
    runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path, head: str
) -> None:
    workspace, benchmark, names = runs
    page = tmp_path / "why.html"
    assert zslpipe(workspace, names[head], "c7/3.png", "--out", str(page)).exit_code == 0
    (told,) = json.loads(zslpipe(workspace, names[head], "c7/3.png", "--json").stdout)
    assert ("estimated by ridge regression, not by the head" in page.read_text()) == (head != "attention-net")
    if head == "attention-net":
        assert told["estimate"] is None
        return
    estimate = told["estimate"]
    winner, rival = (benchmark.class_names.index(estimate[role]) for role in ("winner", "rival"))
    differences = [abs(one["winner"] - one["rival"]) for one in estimate["attributes"]]
    assert differences == sorted(differences, reverse=True)
    for one in estimate["attributes"]:
        column = benchmark.attribute_names.index(one["attribute"])
        assert one["winner"] == pytest.approx(benchmark.semantics[winner, column])
        assert one["rival"] == pytest.approx(benchmark.semantics[rival, column])
    bars = list(estimate_bars(Estimate(**{**estimate, "attributes": [Estimated(**a) for a in estimate["attributes"]]})))
    for bar, one in zip(bars, estimate["attributes"], strict=True):
        nearer = abs(one["image"] - one["winner"]) < abs(one["image"] - one["rival"])
        assert (bar.length > 0) == nearer


def test_the_rival_can_be_asked_for(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, benchmark, names = runs
    (told,) = json.loads(zslpipe(workspace, names["eszsl"], "c7/3.png", "--json").stdout)
    other = next(c for c in benchmark.class_names if c not in (told["predicted"], told["contrast"]["rival"]))
    asked = ("--class", told["predicted"], "--class", other)
    (again,) = json.loads(zslpipe(workspace, names["eszsl"], "c7/3.png", *asked, "--json").stdout)
    assert again["contrast"]["rival"] == other


def test_classes_added_after_training_are_explained_too(
    runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path
) -> None:
    workspace, benchmark, names = runs
    rows = [["class", *benchmark.attribute_names], ["copy", *map(str, benchmark.semantics[7])]]
    (tmp_path / "more.csv").write_text("\n".join(map(",".join, rows)))
    more = ("--classes", str(tmp_path / "more.csv"), "--class", "copy", "--json")
    (told,) = json.loads(zslpipe(workspace, names["gfzsl"], "c7/3.png", *more).stdout)
    assert told["contrast"]["rival"] == "copy"


def test_a_linked_image_of_the_dataset_is_known(
    runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path
) -> None:
    workspace, benchmark, names = runs
    assert benchmark.image_root is not None
    image = benchmark.image_root / "c4/5.png"
    image.rename(tmp_path / "elsewhere.png")
    image.symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "link").symlink_to(benchmark.image_root)
    for path in (image, tmp_path / "link" / "c4/5.png"):
        result = zslpipe(workspace, names["eszsl"], str(path), "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)[0]["true"] == "class 4"


def test_one_page_for_several_images(runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path) -> None:
    workspace, _, names = runs
    page = tmp_path / "why.html"
    result = zslpipe(workspace, names["attention-net"], "c7/3.png", "c0/0.png", "--out", str(page))
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.count("<section>") == 2
    assert "not how sure it is" in text
    assert text.count("data:image/jpeg") == 2 * 5  # the image and four maps each
    assert "<script" not in text


def test_one_png_for_one_image(runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path) -> None:
    workspace, _, names = runs
    file = tmp_path / "why.png"
    assert zslpipe(workspace, names["eszsl"], "c7/3.png", "--out", str(file)).exit_code == 0
    with Image.open(file) as picture:
        assert picture.format == "PNG"
    refused = zslpipe(workspace, names["eszsl"], "c7/3.png", "c0/0.png", "--out", str(file))
    assert refused.exit_code == 2
    assert "why.png is one picture, but there are 2 images" in refused.stderr


def test_the_title_says_whose_attributes_are_shown(runs: tuple[Workspace, Benchmark, dict[str, str]]) -> None:
    workspace, _, names = runs
    run = find_run(workspace.runs, names["attention-net"])
    predictor = predictor_of(workspace, run)
    features = take(store_of_run(workspace, run).features(), np.array([0]))
    right = explain(predictor, features, "x").predicted
    index = predictor.classes.names.index
    other = next(name for name in predictor.classes.names if name != right)
    asked = explain(predictor, features, "x", index(right), classes=[index(other)])
    assert maps_title(asked) == (
        f"Where the head looks for attributes of {other} (neither the true nor the predicted class)"
    )
    assert map_caption(asked.maps[0])[1].endswith(f"for {other}")
    assert "(the true and predicted class)" in maps_title(explain(predictor, features, "x", index(right)))
    assert "(the predicted class)" in maps_title(explain(predictor, features, "x"))


def test_a_new_picture_needs_the_backbone(runs: tuple[Workspace, Benchmark, dict[str, str]], tmp_path: Path) -> None:
    workspace, _, names = runs
    Image.new("RGB", (40, 40)).save(tmp_path / "new.png")
    result = zslpipe(workspace, names["eszsl"], str(tmp_path / "new.png"))
    assert result.exit_code == 2
    assert "was not extracted from images" in result.stderr
