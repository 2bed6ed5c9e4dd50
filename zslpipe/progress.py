"""Progress: a bar on a terminal, plain lines elsewhere, nothing for what is quick or unless `show_progress` is active.

Library calls are silent; the command line turns progress on.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

FIRST_LINE_S = 2.0  # what ends sooner needs no progress
BETWEEN_LINES_S = 10.0

_shown: ContextVar[bool] = ContextVar("progress", default=False)


@contextmanager
def show_progress() -> Iterator[None]:
    """Show progress on standard error within the block."""
    token = _shown.set(True)
    try:
        yield
    finally:
        _shown.reset(token)


def say(sentence: str) -> None:
    """Print a sentence on standard error if progress is shown."""
    if _shown.get():
        print(sentence, file=sys.stderr, flush=True)


class Ticker:
    """Counts units of work; this one shows nothing."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more units are done; `note` is shown beside them."""


class _Lines(Ticker):
    def __init__(self, label: str, total: int | None) -> None:
        self.label, self.total, self.done = label, total, 0
        self.started = time.monotonic()
        self.next_line = self.started + FIRST_LINE_S

    def advance(self, count: int = 1, note: str = "") -> None:
        self.done += count
        now = time.monotonic()
        if now < self.next_line:
            return
        self.next_line = now + BETWEEN_LINES_S
        elapsed = now - self.started
        of = f"/{self.total}" if self.total else ""
        left = f", {elapsed * (self.total - self.done) / self.done:.0f} s left" if self.total and self.done else ""
        print(f"{self.label}: {self.done}{of}{left}{'  ' + note if note else ''}", file=sys.stderr, flush=True)


@contextmanager
def ticking(label: str, total: int | None = None) -> Iterator[Ticker]:
    """Show progress on standard error while the block runs; results on standard output stay clean."""
    if not _shown.get():
        yield Ticker()
        return
    if not sys.stderr.isatty():
        yield _Lines(label, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")

        class Bar(Ticker):
            def advance(self, count: int = 1, note: str = "") -> None:
                bar.update(task, advance=count, note=note)

        yield Bar()


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Iterate with progress; `total` defaults to the length if there is one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with ticking(label, total) as ticker:
        for item in items:
            yield item
            ticker.advance()
