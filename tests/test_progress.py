"""Progress is told on standard error: lines where nobody looks at a terminal, nothing for what is quick."""

import sys
from collections.abc import Callable, Iterator

import pytest

from zslpipe import progress
from zslpipe.progress import ticking, track


@pytest.fixture(autouse=True)
def shown() -> Iterator[None]:
    with progress.show_progress():
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that goes on only when it is told to."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_what_is_quick_says_nothing(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in track(range(10), "counting"):
        clock(0.1)
    assert capsys.readouterr() == ("", "")


def test_lines_now_and_then_with_the_time_that_is_left(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with ticking("counting", 100) as ticker:
        for _ in range(30):
            clock(0.5)
            ticker.advance(note="loss 0.1")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["counting: 4/100, 48 s left  loss 0.1", "counting: 24/100, 38 s left  loss 0.1"]


def test_without_a_total_there_is_no_time_left(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in track(iter("abc"), "reading"):
        clock(3)
    assert capsys.readouterr().err.splitlines()[0] == "reading: 1"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert list(track(range(3), "counting")) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out == ""
    assert "counting" in err
    assert "/3" in err


def test_a_library_call_is_silent(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    progress._shown.set(False)
    for _ in track(range(10), "counting"):
        clock(5)
    assert capsys.readouterr() == ("", "")
