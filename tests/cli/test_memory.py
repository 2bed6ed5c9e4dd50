"""Only commands that extract or train change the allocator, and ZSLPIPE_MALLOC=0 forbids it."""

import ctypes
import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from zslpipe.cli import main, memory


@pytest.mark.parametrize(
    "line",
    [("extract", "--dataset", "nowhere"), ("run", "nowhere.yaml"), ("quickstart",), ("train-head", "eszsl")],
    ids=lambda line: line[0],
)
def test_commands_that_extract_or_train_keep_freed_memory(
    line: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def called() -> None:
        calls.append(line)
        raise KeyboardInterrupt  # before the work starts

    module = importlib.import_module(f"zslpipe.cli.{line[0].replace('-', '_')}")
    monkeypatch.setattr(module, "keep_freed_memory", called)
    CliRunner().invoke(main, [*line, "--cache", str(tmp_path)])
    assert calls == [line]


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: loaded.append(name))  # a library without mallopt
    monkeypatch.setenv("ZSLPIPE_MALLOC", "0")
    memory.keep_freed_memory()
    assert not loaded
    monkeypatch.delenv("ZSLPIPE_MALLOC")
    memory.keep_freed_memory()
    assert loaded == [None]
