"""Runs that are damaged, edited or of strangers: one sentence each, and no other run or store is disabled."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from zslpipe.cli import main
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.heads import HEADS, load_head

Program = Callable[..., Result]
FILES = ("benchmark.npz", "run.json", "seed-0/choice.json", "seed-0/head.json", "seed-0/head.safetensors")


def program(*line: str) -> Result:
    return CliRunner().invoke(main, line)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one store and one run on it."""
    root = tmp_path_factory.mktemp("made")
    photos = root / "photos"
    photos.mkdir()
    classes, each = 6, 5
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(classes, 4)).round(3)
    rows = [f"c{c},{'unseen' if c > 3 else 'seen'},{','.join(map(str, values[c]))}" for c in range(classes)]
    (photos / "classes.csv").write_text("\n".join(["class,split,a,b,c,d", *rows]) + "\n")
    from PIL import Image

    for c in range(classes):
        (photos / f"c{c}").mkdir()
        for i in range(each):
            Image.new("RGB", (8, 8), tuple((255 * values[c, :3]).astype(int).tolist())).save(photos / f"c{c}/{i}.png")
    features = np.repeat(values, each, axis=0) @ rng.normal(size=(4, 8)) + 0.1 * rng.normal(size=(classes * each, 8))
    np.save(root / "features.npy", features.astype(np.float32))
    cache = ("--cache", str(root / "cache"))
    done = program("import", str(root / "features.npy"), "--dataset", str(photos), *cache)
    assert done.exit_code == 0, done.output
    assert program("train-head", "eszsl", *cache).exit_code == 0
    return root / "cache"


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run, in a copy of the cache that commands use."""
    shutil.copytree(made, tmp_path / "cache")
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    (found,) = (tmp_path / "cache" / "runs").iterdir()
    return found


def in_one_sentence(done: Result) -> None:
    assert done.exit_code in (1, 2), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert len([line for line in done.stderr.splitlines() if line.startswith("zslpipe: ")]) == 1, done.stderr


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_a_flipped_bit_is_never_used(run: Path, file: str, where: float) -> None:
    content = bytearray((run / file).read_bytes())
    content[int(where * len(content))] ^= 1
    (run / file).write_bytes(content)
    for line in (("eval", run.name, "--gzsl", "--calibrate"), ("report", run.name)):
        in_one_sentence(program(*line))
    verified = program("cache", "verify")
    assert verified.exit_code == 1
    assert f"{run.name}: 1 damaged" in verified.stdout


def test_a_run_without_checksums_is_accepted(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    del about["files"], about["sha256"]
    (run / "run.json").write_text(json.dumps(about))
    assert program("eval", "--gzsl", "--calibrate").exit_code == 0
    assert program("cache", "verify").exit_code == 0


def test_an_edited_evaluation_is_not_believed(run: Path) -> None:
    assert program("eval", "--gzsl", "--calibrate").exit_code == 0
    expected = program("leaderboard", "--json")
    saved = json.loads((run / "evaluation.json").read_text())
    saved["seeds"]["0"]["U"] = 0.0123
    (run / "evaluation.json").write_text(json.dumps(saved))
    assert _numbers(program("leaderboard", "--json")) == _numbers(expected)


def _numbers(table: Result) -> Any:
    """Without intervals, which are narrower where only the scores are left."""
    (entry,) = json.loads(table.stdout)["runs"]
    return {metric: estimate["mean"] for metric, estimate in entry["test"].items()}


BROKEN: dict[str, bytes | None] = {
    "empty": b"",
    "no object": b"[1, 2]",
    "null": b"null",
    "binary": bytes(range(256)),
    "nested": b"[" * 100_000,
    "no keys": b"{}",
    "wrong types": b'{"created": 7, "seeds": "0", "store": []}',
    "missing": None,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_one_broken_run_disables_nothing(run: Path, kind: str) -> None:
    broken, content = run.with_name("broken"), BROKEN[kind]
    broken.mkdir()
    if content is not None:
        (broken / "run.json").write_bytes(content)
    listed = {row["name"]: row for row in json.loads(program("cache", "ls", "--json").stdout)}
    assert listed[run.name]["state"] == "1 seed"
    assert "broken" in listed["broken"]["state"]
    assert program("eval", "--gzsl", "--calibrate").exit_code == 0
    assert program("report").exit_code == 0
    assert program("leaderboard").exit_code == 0
    in_one_sentence(program("eval", "broken"))
    assert program("cache", "rm", "broken", "--yes").exit_code == 0
    assert not broken.exists()


def test_a_run_json_that_is_a_folder(run: Path) -> None:
    (run.with_name("odd") / "run.json").mkdir(parents=True)
    assert program("eval", "--gzsl", "--calibrate").exit_code == 0
    assert program("cache", "rm", "odd", "--yes").exit_code == 0


@pytest.mark.parametrize("file", ["store.json", "features.zarr/zarr.json", "benchmark.npz", "pieces/000000.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"header": 3}'])
def test_one_broken_store_disables_nothing(run: Path, file: str, content: bytes) -> None:
    (store,) = (run.parents[1] / "stores").iterdir()
    broken = store.with_name("broken")
    shutil.copytree(store, broken)
    (broken / file).write_bytes(content)
    assert {row["name"] for row in json.loads(program("cache", "ls", "--json").stdout)} == {
        run.name,
        store.name,
        "broken",
    }
    assert program("eval", run.name, "--gzsl", "--calibrate").exit_code == 0
    assert program("train-head", "eszsl", "--store", store.name).exit_code == 0
    assert program("cache", "verify").exit_code == 1
    assert program("cache", "rm", "broken", "--yes").exit_code == 0


def edit_json(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def forget_checksums(run: Path) -> None:
    """Strangers can write checksums too."""
    edit_json(run / "run.json", lambda about: [about.pop(key) for key in ("files", "sha256")])
    edit_json(run / "seed-0" / "head.json", lambda about: [about.pop(key) for key in ("weights", "sha256")])


def edit_arrays(path: Path, **changes: np.ndarray | None) -> None:
    arrays = dict(np.load(path)) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


EDITS: dict[str, tuple[str, Callable[[dict], object]]] = {  # type: ignore[type-arg]
    "params are a list": ("head.json", lambda v: v.update(params=[1])),
    "an unknown head": ("head.json", lambda v: v.update(head="../../x")),
    "a head that is a number": ("head.json", lambda v: v.update(head=3)),
    "format is text": ("head.json", lambda v: v.update(format="2")),
    "no problem": ("head.json", lambda v: v.pop("problem")),
    "five terabytes": ("head.json", lambda v: v["problem"].update(attributes=10**12)),
    "a huge tap": ("head.json", lambda v: v["problem"]["taps"].update({"global": {"shape": [10**13], "dtype": "f4"}})),
    "taps are text": ("head.json", lambda v: v["problem"].update(taps="global")),
    "a negative width": ("head.json", lambda v: v["problem"].update(attributes=-4)),
    "a setting out of range": ("head.json", lambda v: v["params"].update(gamma=-1)),
    "no delta": ("choice.json", lambda v: v.pop("delta")),
    "delta is text": ("choice.json", lambda v: v.update(delta="1; rm -rf /")),
    "trials are numbers": ("choice.json", lambda v: v.update(trials=[1, 2])),
    "params are text": ("choice.json", lambda v: v.update(params="x")),
    "an unknown key": ("choice.json", lambda v: v.update(extra=1)),
    "an unknown certainty": ("choice.json", lambda v: v["confidence"].update(certainty="x")),
    "a negative temperature": ("choice.json", lambda v: v["confidence"].update(temperature=-1)),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_run_ends_in_one_sentence(run: Path, name: str) -> None:
    forget_checksums(run)
    file, change = EDITS[name]
    edit_json(run / "seed-0" / file, change)
    in_one_sentence(program("eval", run.name, "--gzsl", "--calibrate"))
    in_one_sentence(program("report", run.name))


ARRAYS: dict[str, dict[str, np.ndarray | None]] = {
    "no labels": {"labels": None},
    "labels that are no integers": {"labels": np.full(30, 0.5)},
    "labels of a matrix": {"labels": np.zeros((30, 1), np.int64)},
    "an unknown array": {"more": np.zeros(3)},
    "other images": {"image_ids": np.array([f"{i}.png" for i in range(30)])},
    "fewer semantics": {"semantics": np.ones((6, 2), np.float32), "attribute_names": np.array(["a", "b"])},
    "semantics of text": {"semantics": np.array([["a"] * 4] * 6)},
    "an index out of range": {"trainval": np.array([10**9])},
    "nothing about it": {"about": np.array("[]")},
    "nested": {"about": np.array("[" * 100_000)},
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_edited_benchmark_ends_in_one_sentence(run: Path, name: str) -> None:
    forget_checksums(run)
    edit_arrays(run / "benchmark.npz", **ARRAYS[name])
    in_one_sentence(program("eval", run.name, "--gzsl", "--calibrate"))


def test_edited_weights_end_in_one_sentence(run: Path) -> None:
    from safetensors.numpy import load_file, save_file

    forget_checksums(run)
    path = run / "seed-0" / "head.safetensors"
    state = load_file(path)
    name = next(key for key, value in state.items() if value.ndim == 2)
    for changed in (
        {k: v for k, v in state.items() if k != name},
        {**state, name: state[name][:, :-1].copy()},
        {**state, name: np.full_like(state[name], np.nan)},
        {**state, name: np.array(["1"]).view(np.uint8)},
    ):
        save_file(changed, path)
        in_one_sentence(program("eval", run.name, "--gzsl", "--calibrate"))
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    in_one_sentence(program("eval", run.name, "--gzsl", "--calibrate"))


def test_a_head_that_claims_terabytes_allocates_nothing(
    tiny: tuple[Benchmark, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark, features = tiny
    head = HEADS["attention-net"](branch="global", epochs=1)
    rows = benchmark.trainval
    head.fit({"global": features[rows]}, benchmark.labels[rows], benchmark.semantics).save(tmp_path)

    def edit(value: dict) -> None:  # type: ignore[type-arg]
        value["problem"].update(attributes=10**12)
        del value["sha256"]

    edit_json(tmp_path / "head.json", edit)
    with pytest.raises(InputError, match="does not contain a usable attention-net"):
        load_head(tmp_path)
