"""Who may write which piece: locks on byte ranges of one empty file, released when the process that holds them ends.

POSIX record locks rather than flock: the kernel reports the holder, they work on network file systems, and a child
forked by the holder (such as a decoding worker) does not keep them after its parent has died. They do not distinguish
threads of one process, so the process keeps its own list as well. Windows has no such locks: there only writers within
one process exclude each other.
"""

import os
import struct
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from zslpipe.errors import LockedError
from zslpipe.store.sealed import explain_os_errors

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

AVAILABLE = fcntl is not None  # between processes
CREATION = 1 << 40  # the byte that stands for the store itself; pieces are the bytes from 0
NO_LOCKS = "file locks are not available on this platform; do not run two writers on one store"


class _Held:
    """The bytes of one lock file that this process has locked.

    Closing any handle of the file would drop every lock of the process on it, so there is one, kept open.
    """

    def __init__(self, path: Path) -> None:
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.bytes: set[int] = set()


_held: dict[str, _Held] = {}
_guard = threading.Lock()


def _forget_in_child() -> None:
    global _guard
    _guard = threading.Lock()
    for held in _held.values():
        os.close(held.handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@cache
def _warn_once() -> None:
    warnings.warn(NO_LOCKS, stacklevel=1)


def _lock(handle: int, byte: int) -> None:
    """Lock a byte without waiting; OSError if another process holds it."""
    if fcntl is None:
        _warn_once()
    else:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)


def _unlock(handle: int, byte: int) -> None:
    if fcntl is not None:
        fcntl.lockf(handle, fcntl.LOCK_UN, 1, byte)


def _holder(handle: int, byte: int) -> str:
    if sys.platform != "linux":  # struct flock has another layout elsewhere
        return "another process"
    question = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, pid = struct.unpack("hhqqi", fcntl.fcntl(handle, fcntl.F_GETLK, question))
    return "another process" if kind == fcntl.F_UNLCK else f"process {pid}"


@contextmanager
def claim(path: Path, numbers: Iterable[int], what: str) -> Iterator[None]:
    """Hold the bytes `numbers` of the lock file while the block runs.

    Raises:
        LockedError: if another process or thread holds one of them; the message names it and calls the byte `what`.
    """
    key = str(path.resolve())
    taken: list[int] = []
    with _guard:
        if key not in _held:
            with explain_os_errors(f"could not lock {path.parent} for writing"):
                _held[key] = _Held(path)
        held = _held[key]
        try:
            for number in numbers:
                if number in held.bytes:
                    raise _refused(path, what, number, f"this process (process {os.getpid()})")
                try:
                    _lock(held.handle, number)
                except (BlockingIOError, PermissionError) as problem:
                    raise _refused(path, what, number, _holder(held.handle, number)) from problem
                held.bytes.add(number)
                taken.append(number)
        except BaseException:
            _release(key, held, taken)
            raise
    try:
        yield
    finally:
        with _guard:
            if _held.get(key) is held:  # not in a child forked meanwhile
                _release(key, held, taken)


def _refused(path: Path, what: str, number: int, who: str) -> LockedError:
    name = what.format(number)
    return LockedError(f"{name} of {path.parent} is being written by {who}: wait until it ends, then run again.")


def _release(key: str, held: _Held, numbers: list[int]) -> None:
    for number in numbers:
        _unlock(held.handle, number)
        held.bytes.discard(number)
    if not held.bytes:
        os.close(held.handle)
        del _held[key]
