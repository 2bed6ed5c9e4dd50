"""Semantics from words, from the command line: towers, prompts and new classes by a sentence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from zslpipe.cli import main
from zslpipe.errors import InputError
from zslpipe.files import read_json
from zslpipe.workflows.class_words import read_templates

CLASSES = ("red bird", "green bird", "blue bird", "red fish", "green fish", "blue fish")
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def run(place: Path, *line: str, code: int = 0) -> Any:
    done = CliRunner().invoke(main, [*line, "--cache", str(place / "cache")], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with images of birds and fishes, and the features of a small random image tower."""
    open_clip = pytest.importorskip("open_clip")
    folder, rng = tmp_path_factory.mktemp("words"), np.random.default_rng(0)
    for c, name in enumerate(CLASSES):
        (folder / "animals" / name).mkdir(parents=True)
        for i in range(6):
            pixels = rng.normal(40 * c, 30, (40, 40, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "animals" / name / f"{i}.png")
    rows = [f"{name},{'unseen' if 'blue' in name else 'seen'},{c}" for c, name in enumerate(CLASSES)]
    (folder / "animals" / "classes.csv").write_text("\n".join(["class,split,number", *rows]))
    (folder / "tiny-clip.json").write_text(json.dumps(MODEL))
    before = dict(open_clip.factory._MODEL_CONFIGS)
    open_clip.add_model_config(folder / "tiny-clip.json")
    taps = ("--taps", "embedding,global,region", "--dtype", "float32", "--workers", "1")
    run(
        folder, "extract", "--backbone", "open_clip/tiny-clip", "--weights", "random",
        "--dataset", str(folder / "animals"), *taps,
    )  # fmt: skip
    yield folder
    open_clip.factory._MODEL_CONFIGS.clear()
    open_clip.factory._MODEL_CONFIGS.update(before)


def test_the_head_prompt_and_others_on_two_towers(place: Path) -> None:
    for head, semantics in (("prompt", "prompts"), ("eszsl", "prompts"), ("prompt", f"prompts:{place / 't.txt'}")):
        (place / "t.txt").write_text("a photo of a {}, an animal.\n\nthe {}\n")
        told = json.loads(run(place, "train-head", head, "--semantics", semantics, "--json").stdout)
        about = read_json(Path(told["run"]) / "run.json")
        assert about["semantics"] == semantics
        assert about["sources"]["semantics"].startswith("prompts open_clip/tiny-clip ")
        (row,) = json.loads(run(place, "eval", told["run"], "--json").stdout)
        assert row["seeds"]["0"]["T1"] is not None


def test_new_classes_by_name_or_sentence(place: Path) -> None:
    told = json.loads(run(place, "train-head", "prompt", "--semantics", "prompts", "--json").stdout)
    (place / "more.csv").write_text("class,text\nwhite bird,\nwhale,a huge animal of the sea\nred bird,x\n")
    image = str(place / "animals" / "red bird" / "0.png")
    line = ("predict", told["run"], image, "--classes", str(place / "more.csv"), "--top", "9", "--workers", "1")
    (one,) = json.loads(run(place, *line, "--json").stdout)["predictions"]
    assert sorted(c["class"] for c in one["classes"] if c["kind"] == "new") == ["whale", "white bird"]
    (place / "bad.csv").write_text("class,number\nwhale,3\n")
    done = run(place, *line[:4], str(place / "bad.csv"), code=2)
    assert "expected the columns class,text" in done.stderr


def test_word_vectors_of_attributes_reach_the_head(place: Path) -> None:
    (place / "glove.txt").write_text("number 1 2 3\nother 4 5 6\n")
    line = ("train-head", "gem", "--word-vectors", str(place / "glove.txt"), "--set", "epochs=1", "--json")
    told = json.loads(run(place, *line).stdout)
    assert read_json(Path(told["run"]) / "seed-0" / "head.json")["problem"]["words"] == 3
    assert read_json(Path(told["run"]) / "run.json")["sources"]["attribute vectors"].startswith("glove.txt ")
    (place / "other.txt").write_text("other 4 5 6\n")
    done = run(place, *line[:3], str(place / "other.txt"), code=2)
    assert "other.txt has no word of the attribute 'number'" in done.stderr


def test_wrong_requests(place: Path) -> None:
    run(place, "extract", "--backbone", "test_resnet", "--weights", "random", "--dataset", str(place / "animals"))
    for line, told in (
        (("prompt", "--semantics", "prompts", "--backbone", "test_resnet"), "was not extracted with two towers"),
        (("prompt", "--backbone", "open_clip/tiny-clip"), "compares embeddings of width 16 with semantics of width 1"),
        (("prompt", "--backbone", "test_resnet"), "prompt needs the features 'embedding'"),
    ):
        done = run(place, "train-head", *line, code=2)
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_templates(tmp_path: Path) -> None:
    assert read_templates(None, "cub") == ("a photo of a {}, a type of bird.",)
    assert read_templates(None, "my birds") == ("a photo of a {}.",)
    for content, told in (("a photo\n", "line 1: a template needs {} once"), ("\n", "is empty"), ("{} {x}", "line 1")):
        (tmp_path / "t.txt").write_text(content)
        with pytest.raises(InputError, match=told):
            read_templates(tmp_path / "t.txt", "cub")
    with pytest.raises(InputError, match="there is no file"):
        read_templates(tmp_path / "none.txt", "cub")
