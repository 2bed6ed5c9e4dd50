"""Commands change the allocator: freed memory is kept where there is plenty; ZSLPIPE_MALLOC=0 forbids it."""

import ctypes
import importlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from zslpipe.cli import main, memory

FOR_CHILDREN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@pytest.mark.parametrize(
    "line",
    [
        ("extract", "--dataset", "nowhere"),
        ("run", "nowhere.yaml"),
        ("quickstart",),
        ("train-head", "eszsl"),
        ("derive",),
        ("sweep", "nowhere.yaml"),
    ],
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


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What is set, instead of setting it."""
    found: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda what, value: not found.append((what, value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.delenv("ZSLPIPE_MALLOC", raising=False)
    for name in FOR_CHILDREN:
        monkeypatch.setenv(name, "")  # put back afterwards
        monkeypatch.delenv(name)
    return found


def test_where_memory_is_scarce_it_is_given_back(
    settings: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for bytes_, kept in ((64 << 30, True), (0, True), (1 << 30, False)):
        monkeypatch.setattr(memory, "memory_bytes", lambda found=bytes_: found)
        settings.clear()
        memory.return_freed_memory()
        assert settings == ([] if kept else [(memory.M_MMAP_THRESHOLD, 1 << 20)])
        settings.clear()
        memory.keep_freed_memory()
        assert bool(settings) == kept
        set_ = {name: os.environ.pop(name, None) for name in FOR_CHILDREN}  # for processes that this one starts
        assert set_ == dict(zip(FOR_CHILDREN, (str(1 << 30), str((1 << 31) - 1)) if kept else (str(1 << 20), None)))


def test_it_can_be_turned_off(settings: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSLPIPE_MALLOC", "0")
    memory.keep_freed_memory()
    monkeypatch.setattr(memory, "memory_bytes", lambda: 1 << 30)
    memory.return_freed_memory()
    assert not settings
    assert not set(FOR_CHILDREN) & set(os.environ)


def test_other_c_libraries_are_left_alone(settings: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)  # without mallopt
    memory.keep_freed_memory()
