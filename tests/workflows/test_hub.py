"""zslpipe push and pull: a run goes to a hub and comes back able to predict; what strangers put there does no harm."""

import json
import shutil
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

import zslpipe
from tests.painted import make_place, paint
from zslpipe.cli import main
from zslpipe.errors import InputError
from zslpipe.workflows.shared_run import shared_semantics


class FakeHub(ModuleType):
    """What zslpipe uses of huggingface_hub, with repositories that are folders."""

    def __init__(self, folder: Path) -> None:
        super().__init__("huggingface_hub")
        self.folder, self.private = folder, dict[str, bool]()

    def HfApi(self) -> "FakeHub":
        return self

    def create_repo(self, repo: str, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        self.private.setdefault(repo, private)
        (self.folder / repo).mkdir(parents=True, exist_ok=True)

    def upload_folder(self, repo_id: str, folder_path: Path, allow_patterns: list[str], commit_message: str) -> Any:
        self._copy(folder_path, self.folder / repo_id, allow_patterns)
        return type("Commit", (), {"commit_url": f"https://hub.example/{repo_id}/commit/1a2b"})

    def repo_info(self, repo: str, revision: str | None) -> Any:
        if not (self.folder / repo).is_dir():
            raise ConnectionError(f"404 Client Error\nfor {repo}")
        return type("Info", (), {"sha": "1a2b"})

    def snapshot_download(self, repo: str, revision: str, allow_patterns: list[str], local_dir: str) -> None:
        assert revision == "1a2b"
        self._copy(self.folder / repo, Path(local_dir), allow_patterns)

    @staticmethod
    def _copy(source: Path, target: Path, patterns: list[str]) -> None:
        for file in source.rglob("*"):
            name = file.relative_to(source).as_posix()
            if file.is_file() and any(fnmatch(name, pattern) for pattern in patterns):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target / name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path / "repositories")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return fake


@pytest.fixture
def pushed(place: Path, hub: FakeHub) -> Path:
    """The folder of the repository."""
    (run,) = (place / "cache" / "runs").glob("paint-*")
    done = zslpipe_("push", run.name, "jane/paint", cache=place / "cache")
    assert done.exit_code == 0, done.output
    assert "https://hub.example/jane/paint" in done.output
    return hub.folder / "jane" / "paint"


def zslpipe_(*line: str, cache: Path) -> Any:
    return CliRunner().invoke(main, [*line, "--cache", str(cache)], catch_exceptions=False)


def test_a_pulled_run_predicts_without_its_store(place: Path, pushed: Path, tmp_path: Path) -> None:
    done = zslpipe_("pull", "jane/paint", "--json", cache=tmp_path / "cache")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["run"] == "paint"
    files = sorted((place / "new").glob("*.png"))
    mine = zslpipe.load(next((place / "cache" / "runs").glob("paint-*")), cache=place / "cache").predict(files)
    theirs = zslpipe.load("paint", cache=tmp_path / "cache").predict(files)
    assert [one.candidates for one in theirs] == [one.candidates for one in mine]
    again = zslpipe_("push", "paint", "joe/paint", cache=tmp_path / "cache")
    assert again.exit_code == 0, again.output


def test_json_and_safetensors_only_and_no_paths_of_this_machine(place: Path, pushed: Path, hub: FakeHub) -> None:
    files = [file for file in pushed.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {".json", ".safetensors", ".md"}
    for file in files:
        assert str(place).encode() not in file.read_bytes(), file
    assert hub.private == {"jane/paint": True}
    assert "What the numbers do not say" in (pushed / "README.md").read_text()


def test_photos_of_unseen_classes_go_with_the_run(hub: FakeHub, tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    for seed in range(3):
        paint(examples / "pink" / f"{seed}.png", (1, 0, 1), seed=50 + seed)
    place = make_place(tmp_path / "mine", ("eszsl", "--examples", str(examples)))
    (run,) = (place / "cache" / "runs").glob("paint-*")
    assert (run / "seed-0" / "photos.safetensors").is_file()
    assert zslpipe_("push", run.name, "jane/paint", cache=place / "cache").exit_code == 0
    assert zslpipe_("pull", "jane/paint", cache=tmp_path / "theirs").exit_code == 0
    files = sorted((place / "new").glob("*.png"))
    mine, theirs = zslpipe.load(run, cache=place / "cache"), zslpipe.load("paint", cache=tmp_path / "theirs")
    assert [one.candidates for one in theirs.predict(files)] == [one.candidates for one in mine.predict(files)]
    done = zslpipe_("export", run.name, "--format", "program", "--out", str(tmp_path / "m"), cache=place / "cache")
    assert done.exit_code == 2
    assert "was given photos" in done.output


def edit(file: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        value = json.loads((folder / file).read_text())
        change(value)
        (folder / file).write_text(json.dumps(value))

    return apply


def arrays(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        value = load_file(folder / "benchmark.safetensors")
        change(value)
        save_file(value, folder / "benchmark.safetensors")

    return apply


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "no record": lambda f: (f / "run.json").unlink(),
    "a record that is a list": lambda f: (f / "run.json").write_text("[]"),
    "deep nesting": lambda f: (f / "store.json").write_text("[" * 100_000),
    "seeds that lead out": edit("run.json", lambda v: v.update(seeds=["../../x"])),
    "negative seeds": edit("run.json", lambda v: v.update(seeds=[-1])),
    "no provenance": edit("store.json", lambda v: v.update(provenance=3)),
    "weights of a file": edit(
        "store.json", lambda v: v["provenance"]["recorded"]["request"].update(weights="/etc/passwd")
    ),
    "a missing head": lambda f: (f / "seed-0" / "head.safetensors").unlink(),
    "a pickle for a head": lambda f: (f / "seed-0" / "head.safetensors").write_bytes(b"\x80\x04\x95."),
    "a pickle for arrays": lambda f: (f / "benchmark.safetensors").write_bytes(b"\x80\x04\x95."),
    "arrays of another shape": arrays(lambda v: v.update(semantics=v["semantics"][:, :1].copy())),
    "arrays of another type": arrays(lambda v: v.update(labels=v["labels"].astype(np.float32))),
    "an unknown array": arrays(lambda v: v.update(code=v["labels"])),
    "labels without classes": arrays(lambda v: v.update(labels=v["labels"] + 100)),
    "names that are numbers": edit("benchmark.json", lambda v: v.update(class_names=[1, 2])),
    "a choice of another kind": edit("seed-0/choice.json", lambda v: v.update(delta="x")),
    "another head": edit("seed-0/head.json", lambda v: v.update(head="no-such")),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_strangers_upload(pushed: Path, tmp_path: Path, what: str) -> None:
    HOSTILE[what](pushed)
    done = zslpipe_("pull", "jane/paint", cache=tmp_path / "cache")
    assert done.exit_code in (1, 2), done.output
    assert done.output.count("\n") == 1, "one sentence"
    assert not list((tmp_path / "cache").rglob("*.safetensors")), "nothing is kept"


def test_other_files_are_not_downloaded(pushed: Path, tmp_path: Path) -> None:
    (pushed / "setup.py").write_text("raise SystemExit")
    (pushed / "model.pkl").write_bytes(b"\x80")
    assert zslpipe_("pull", "jane/paint", cache=tmp_path / "cache").exit_code == 0
    assert not [f for f in (tmp_path / "cache").rglob("*") if f.suffix in (".py", ".pkl")]


@pytest.mark.parametrize("repo", ["paint", "jane/paint/x", "../paint", "jane/..", "jane/a b", "/etc/passwd"])
def test_names_of_repositories(hub: FakeHub, tmp_path: Path, repo: str) -> None:
    done = zslpipe_("pull", repo, cache=tmp_path / "cache")
    assert done.exit_code == 2
    assert "give OWNER/NAME" in done.output


def test_what_the_hub_says_is_one_sentence(hub: FakeHub, tmp_path: Path) -> None:
    done = zslpipe_("pull", "jane/nothing", cache=tmp_path / "cache")
    assert done.exit_code == 1
    assert done.output.startswith(
        "zslpipe: the request to the hub for jane/nothing failed (404 Client Error): check the name"
    )
    assert done.output.count("\n") == 1


def test_an_absent_library_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    done = zslpipe_("pull", "jane/paint", cache=tmp_path / "cache")
    assert done.exit_code == 2
    assert "needs huggingface_hub: pip install 'zslpipe[hub]'" in done.output


def test_semantics_name_no_files() -> None:
    assert shared_semantics("att") == "att"
    assert shared_semantics("text:/home/jane/sentences.csv") == "text"
    assert shared_semantics("words:/home/jane/glove.txt") == "from words in glove.txt"
    assert shared_semantics("/home/jane/more.csv") == "more.csv"


def test_a_run_that_others_cannot_load_is_not_pushed(place: Path, hub: FakeHub, tmp_path: Path) -> None:
    from zslpipe.workflows.shared_run import _require_named

    with pytest.raises(InputError, match="weights of its backbone come from a file"):
        _require_named({"fingerprinted": {}, "recorded": {"request": {"weights": "/home/jane/w.pth"}}}, "paint")
    with pytest.raises(InputError, match="features come from elsewhere"):
        _require_named({"fingerprinted": {}, "recorded": {}}, "paint")
