"""zslpipe doctor says what is in use, and what is slow or missing."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from zslpipe import __version__
from zslpipe.backbones import download, packages
from zslpipe.cli import main
from zslpipe.workflows import doctor

Doctor = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Its output for a cache that is there and a data root that is not."""
    monkeypatch.setattr(download, "reachable", lambda _: True)

    def run(*more: str) -> str:
        done = CliRunner().invoke(
            main, ["doctor", "--cache", str(tmp_path), "--data-root", str(tmp_path / "gone"), *more]
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_versions_and_folders(told: Doctor, tmp_path: Path) -> None:
    rows = dict(
        row.split(maxsplit=1) for row in told().splitlines() if not row.startswith(("note", "data root", "free"))
    )
    assert rows["zslpipe"] == __version__
    assert rows["torch"] == version("torch")
    assert rows["cache"] == str(tmp_path)
    found = json.loads(told("--json"))
    assert found["data root"] == str(tmp_path / "gone")
    assert found["free disk"].endswith(" GB")


def test_what_is_not_there_yet(told: Doctor, tmp_path: Path) -> None:
    assert f"note: the data root {tmp_path / 'gone'} does not exist yet" in told()
    assert "the cache" not in told()


def test_what_is_slow_or_missing(told: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        assert "note: there is no GPU" in told()
    assert not [note for note in json.loads(told("--json"))["notes"] if "reached" in note or "quickstart" in note]
    monkeypatch.setattr(download, "reachable", lambda _: False)
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(doctor, "ROOM", 1e9)
    for sentence in ("cannot be reached", "pip install 'zslpipe[demo]'", "GB are free for the cache"):
        assert sentence in told()
