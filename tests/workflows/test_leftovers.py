"""What killed commands leave is taken up, swept or shown, and never taken for something whole."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zslpipe.cli import main
from zslpipe.errors import LockedError
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.leftovers import in_use, is_abandoned, leftovers, resumable, sweep
from zslpipe.workflows.listing import listing
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return Workspace(tmp_path / "data", tmp_path / "cache")


def program(*line: str) -> Result:
    return CliRunner().invoke(main, line)


def holding(path: Path) -> "subprocess.Popen[str]":
    """Another process that uses a folder."""
    code = "from zslpipe.workflows.leftovers import in_use; from pathlib import Path; import sys, time\n"
    code += "with in_use(Path(sys.argv[1])):\n print('held', flush=True)\n time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_is_used_by_one_process_at_a_time(workspace: Workspace) -> None:
    folder = workspace.cache / "checkpoints" / "abc"
    other = holding(folder)
    try:
        assert not is_abandoned(folder)
        with pytest.raises(LockedError), in_use(folder):
            pass
    finally:
        other.kill()
        other.wait()
    assert is_abandoned(folder)


def test_identical_work_gets_a_folder_of_its_own(workspace: Workspace) -> None:
    with resumable(workspace, "abc") as one:
        (one / "x").mkdir(parents=True)
        with resumable(workspace, "abc") as other:
            assert one != other
        assert (one / "x").is_dir()
    assert not one.exists()


def test_what_a_killed_twin_has_left_goes_with_the_work(workspace: Workspace) -> None:
    (workspace.cache / "checkpoints" / "abc-2").mkdir(parents=True)
    with resumable(workspace, "abc"):
        assert len(leftovers(workspace)) == 1
    assert leftovers(workspace) == []


def test_interrupted_work_is_taken_up(workspace: Workspace) -> None:
    def interrupted() -> None:
        with resumable(workspace, "abc") as folder:
            folder.mkdir(parents=True)
            (folder / "latest").write_text("7")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with resumable(workspace, "abc") as folder:
        assert (folder / "latest").read_text() == "7"


def test_twins_in_threads_both_end_with_a_run(workspace: Workspace, store: FeatureStore) -> None:
    done = []

    def train() -> None:
        run, _ = train_head(workspace, "attention-net", store, settings={"branch": "global", "epochs": 2})
        done.append((run.path / "seed-0" / "head.safetensors").read_bytes())

    with resumable(workspace, "nothing"):  # the lock file is kept open all the while
        twins = [threading.Thread(target=train) for _ in range(2)]
        for twin in twins:
            twin.start()
        for twin in twins:
            twin.join()
    assert len(done) == 2
    assert done[0] == done[1]
    assert leftovers(workspace) == []


def test_leftovers_are_swept_by_the_next_training(workspace: Workspace, store: FeatureStore) -> None:
    (workspace.runs / ".tiny-eszsl-20260101-000000.abcd" / "seed-0").mkdir(parents=True)
    (workspace.stores / ".old.1234.removed" / "pieces").mkdir(parents=True)
    (workspace.cache / "reports").mkdir()
    old, fresh = (workspace.cache / "reports" / f".page.html.{n}.tmp" for n in "12")
    old.write_text("half")
    fresh.write_text("half")
    os.utime(old, (time.time() - 7200,) * 2)
    train_head(workspace, "eszsl", store)
    assert [left.path for left in leftovers(workspace)] == [fresh]


def test_leftovers_are_swept_when_a_finished_training_is_repeated(workspace: Workspace, store: FeatureStore) -> None:
    train_head(workspace, "eszsl", store)
    (workspace.cache / "checkpoints" / ".0123.4567.removed").mkdir(parents=True)
    assert len(leftovers(workspace)) == 1
    assert train_head(workspace, "eszsl", store, reuse=True)[1]
    assert leftovers(workspace) == []


def test_a_training_that_runs_is_not_swept(workspace: Workspace) -> None:
    folder = workspace.runs / ".tiny.abcd"
    with in_use(folder):
        folder.mkdir(parents=True)
        sweep(workspace)
        assert folder.is_dir()
        assert leftovers(workspace) == []
    sweep(workspace)
    assert not folder.exists()


def test_leftovers_are_listed_and_removed(workspace: Workspace) -> None:
    places = [
        workspace.runs / ".tiny.abcd",
        workspace.stores / ".old.1234.removed",
        workspace.cache / "checkpoints" / "0123456789abcdef",
        workspace.stores / "half",  # a store whose store.json is gone
        workspace.runs / "nothing",  # a run whose run.json is gone
    ]
    for place in places:
        (place / "part").mkdir(parents=True)
    (workspace.cache / ".image-hashes.npz.12.tmp").write_text("half")
    listed = {row["name"] for row in json.loads(program("cache", "ls", "--json").stdout)}
    assert listed == {*(place.name for place in places), ".image-hashes.npz.12.tmp"}
    removed = program("cache", "rm", "--yes", *listed)
    assert removed.exit_code == 0, removed.output
    assert json.loads(program("cache", "ls", "--json").stdout) == []


def test_what_vanishes_meanwhile_disturbs_nobody(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes finish their files and remove their checkpoints between a listing and a look."""
    gone = workspace.cache / "checkpoints" / "0123456789abcdef"
    gone.mkdir(parents=True)
    unfinished = workspace.cache / ".image-hashes.npz.12.tmp"
    monkeypatch.setattr("zslpipe.workflows.leftovers._temporary", lambda workspace: [unfinished])
    sweep(workspace)
    found = leftovers(workspace)
    gone.rmdir()
    monkeypatch.setattr("zslpipe.workflows.listing.leftovers", lambda workspace: found)
    assert [row["size_mb"] for row in listing(workspace)] == [0, 0]


def test_a_killed_removal_can_be_repeated(
    workspace: Workspace, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, **_: object) -> None:
        (path / "store.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("zslpipe.files.shutil.rmtree", killed)
        assert program("cache", "rm", "--yes", "tiny").exit_code == 130
    assert not store.path.exists()
    assert program("cache", "rm", "--yes", "tiny").exit_code == 0
    assert program("cache", "rm", "--yes", "tiny").exit_code == 2
    assert not [p for p in workspace.stores.iterdir() if p.is_dir()]


def test_what_a_killed_removal_has_left_is_removed_by_the_same_command(
    workspace: Workspace, store: FeatureStore
) -> None:
    run, _ = train_head(workspace, "eszsl", store)
    assert program("cache", "rm", "--yes", "tiny").exit_code == 0
    again = program("cache", "rm", "--yes", "tiny", run.name)
    assert again.exit_code == 2
    assert "unknown store or run 'tiny'" in again.stderr
    assert not run.path.exists()


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background start without it
import zslpipe.workflows.listing as listing
def slow(workspace):
    print("working", flush=True)
    time.sleep(60)
listing.listing = slow
from zslpipe.cli import main
main(["cache", "ls"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_termination_is_an_interruption(workspace: Workspace, number: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "zslpipe: interrupted; what was finished is kept.\n"


def test_the_handler_of_the_caller_is_put_back(workspace: Workspace) -> None:
    before = signal.getsignal(signal.SIGTERM)
    program("cache", "ls")
    assert signal.getsignal(signal.SIGTERM) == before
