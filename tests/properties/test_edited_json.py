"""Every value in the JSON of stores and runs replaced by an odd one, with all checksums made anew: none ends a command
in anything but one sentence, and none hides the other stores and runs.

ZSLPIPE_FUZZ is the number of edits; edit n is the same at every run.
"""

import copy
import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import ZslpipeError
from zslpipe.files import sha256_json
from zslpipe.store.catalog import newest_store
from zslpipe.store.derived import versions_header
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.repair import repair
from zslpipe.store.sealed import seal, sealed_bytes
from zslpipe.store.version import Version
from zslpipe.workflows.cache import describe, verify_all
from zslpipe.workflows.evaluate import evaluate_runs
from zslpipe.workflows.leaderboard import leaderboard
from zslpipe.workflows.listing import listing
from zslpipe.workflows.report import report
from zslpipe.workflows.runs import find_run
from zslpipe.workflows.train import train_head, usable_benchmark
from zslpipe.workflows.workspace import Workspace

FEW, MANY = 60, int(os.environ.get("ZSLPIPE_FUZZ", "3000"))
ODD: list[Any] = [None, True, -1, 0, 1, 3, 2**40, 10**30, 1.5, 1e300, "x", "../../x", "", [], [1], ["a"], {}, {"a": 1}]
ODD += [[[[]]], "A" * 1000, "/etc/passwd", -(2**63)]
DELETED = object()


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all values inside a JSON value; of long lists to the first ones."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*at, key))


def edited(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """A copy of the value with another one at a place."""
    if not at:
        return new
    whole = inner = copy.deepcopy(value)
    for key in at[:-1]:
        inner = inner[key]
    if new is DELETED:
        del inner[at[-1]]
    else:
        inner[at[-1]] = new
    return whole


def edit(path: Path, rng: random.Random, sealed: Callable[[Any], bytes]) -> str:
    """Replace one value in a file; returns what was done."""
    value = json.loads(path.read_text())
    at = rng.choice(list(places(value)))
    new = rng.choice([*ODD, DELETED] if at else ODD)
    path.write_bytes(sealed(edited(value, at, new)))
    return f"{path.name}{list(at)} = {'nothing' if new is DELETED else repr(new)[:40]}"


def without_seal(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != "sha256"}


def sealed_store(value: Any) -> bytes:
    """The record of a store, its header sealed and with the right fingerprint again."""
    if not isinstance(value, dict):
        return json.dumps(value).encode()
    header = value.get("header")
    if isinstance(header, dict):
        header = without_seal(header)
        provenance = header.get("provenance")
        if isinstance(provenance, dict):
            header["fingerprint"] = sha256_json(provenance.get("fingerprinted"))
        value = {**value, "header": seal(header)}
    return sealed_bytes(without_seal(value))


def sealed_piece(value: Any) -> bytes:
    return sealed_bytes(without_seal(value)) if isinstance(value, dict) else json.dumps(value).encode()


def sealed_group(value: Any) -> bytes:
    if isinstance(value, dict) and isinstance(value.get("attributes"), dict):
        value = {**value, "attributes": seal(without_seal(value["attributes"]))}
    return json.dumps(value).encode()


def unsealed(value: Any) -> bytes:
    """Runs without checksums are those of earlier versions."""
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if key not in ("sha256", "files", "weights")}
    return json.dumps(value).encode()


def in_one_sentence(what: str, use: Callable[[], object]) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            use()
    except ZslpipeError as problem:
        assert "\n" not in str(problem), what  # noqa: PT017
        assert len(str(problem)) < 1500, what  # noqa: PT017
    except Exception as problem:
        raise AssertionError(what) from problem


@pytest.fixture
def place(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> Workspace:
    """A cache with two stores of the same images, one of them as if derived, and a run of two kinds of heads."""
    benchmark, features = tiny
    place = Workspace(tmp_path / "data", tmp_path / "cache")
    seen = np.zeros(len(benchmark.labels), bool)
    derived = {"derived": {"versions": versions_header([Version("global", "global", seen, ("class 1",), "0")])}}
    for name, more in (("good", {}), ("derived", derived)):
        provenance = {
            "fingerprinted": {"backbone": {"name": name}, "dtype": "float32", **more},
            "recorded": {"request": {"kind": "import", "files": []}},
        }
        taps = {"global": TapSpec((16,), "float32")}
        store = FeatureStore.create(place.stores / name, benchmark, taps, provenance, piece_rows=50)
        for piece in range(store.pieces):
            store.write_piece(piece, {"global": features[list(store.piece_rows_of(piece))]})
    good = FeatureStore.open(place.stores / "good")
    train_head(place, "eszsl", good)
    train_head(place, "attention-net", good, settings={"branch": "global", "epochs": 1})
    return place


def kept_aside(place: Workspace, folders: list[Path]) -> dict[Path, Path]:
    """The folders, each with a copy elsewhere."""
    whole = {path: place.cache.parent / "whole" / path.name for path in folders}
    for path, kept in whole.items():
        shutil.copytree(path, kept)
    return whole


def uses_of_store(place: Workspace, path: Path) -> list[Callable[[], object]]:
    return [
        lambda: FeatureStore.open(path).rows("global")[:3],
        lambda: FeatureStore.open(path).versions,
        lambda: FeatureStore.open(path).features().backbone,
        lambda: usable_benchmark(FeatureStore.open(path)),
        lambda: newest_store(place.cache),
        lambda: describe(place, path.name),
        lambda: repair(path),
    ]


def uses_of_run(place: Workspace, name: str) -> list[Callable[[], object]]:
    return [
        lambda: find_run(place.runs, name).losses(0),
        lambda: find_run(place.runs, name).notes(0),
        lambda: evaluate_runs(place, [name]),
        lambda: leaderboard(place, dataset="tiny").text(),
        lambda: report(place, [name]),
    ]


STORE_FILES = {"store.json": sealed_store, "pieces/000000.json": sealed_piece, "complete.json": sealed_piece}


def edit_stores(place: Workspace, count: int) -> None:
    whole = kept_aside(place, sorted(place.stores.iterdir()))
    for number in range(count):
        rng = random.Random(f"store {number}")
        path = rng.choice(list(whole))
        shutil.rmtree(path)
        shutil.copytree(whole[path], path)
        if rng.random() < 0.1:  # the copy of the header, which is all there is now
            what = edit(path / "features.zarr" / "zarr.json", rng, sealed_group)
            (path / "store.json").unlink()
        else:
            file = rng.choice(list(STORE_FILES))
            what = edit(path / file, rng, STORE_FILES[file])
        for use in uses_of_store(place, path):
            in_one_sentence(what, use)
        names = {row["name"] for row in listing(place)}
        assert {"good", "derived"} <= names, what
        assert verify_all(place, None).keys() == names, what


RUN_FILES = ("run.json", "seed-0/head.json", "seed-0/choice.json", "evaluation.json")


def edit_runs(place: Workspace, count: int) -> None:
    evaluate_runs(place, [run.name for run in place.runs.iterdir()])
    for run in place.runs.iterdir():
        for file in RUN_FILES:
            (run / file).write_bytes(unsealed(json.loads((run / file).read_text())))
    whole = kept_aside(place, sorted(place.runs.iterdir()))
    for number in range(count):
        rng = random.Random(f"run {number}")
        run = rng.choice(list(whole))
        shutil.rmtree(run)
        shutil.copytree(whole[run], run)
        what = edit(run / rng.choice(RUN_FILES), rng, unsealed)
        for use in uses_of_run(place, run.name)[: None if number % 4 == 0 else -1]:
            in_one_sentence(what, use)
        assert {one.name for one in whole} <= {row["name"] for row in listing(place)}, what
        assert {one.name for one in whole} <= verify_all(place, None).keys(), what


def test_some_edited_stores(place: Workspace) -> None:
    edit_stores(place, FEW)


def test_some_edited_runs(place: Workspace) -> None:
    edit_runs(place, FEW // 3)


@pytest.mark.faults
def test_thousands_of_edited_stores(place: Workspace) -> None:
    edit_stores(place, MANY)


@pytest.mark.faults
def test_thousands_of_edited_runs(place: Workspace) -> None:
    edit_runs(place, MANY // 3)
