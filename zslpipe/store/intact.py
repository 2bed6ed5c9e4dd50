"""Files are compared with their checksums on their first use in a process, so that damage is never used silently."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np

from zslpipe.errors import DamagedError
from zslpipe.store.sealed import Sum, sum_of

SETTLED_NS = 1_000_000_000  # a file changed more recently may change again without another time

_known: dict[tuple[int, ...], Sum] = {}  # files that were read, by what tells that they have not changed since


def require_intact(path: Path, expected: Sum, remedy: str, content: np.ndarray | None = None) -> None:
    """Raise `DamagedError` unless a file is what was written.

    It is read once per process, and again if its size, times or inode have changed.

    Args:
        path: the file.
        expected: its size and checksum when it was written.
        remedy: what to do about damage; the end of the message.
        content: its bytes if they are in memory or mapped.
    """
    wrong = difference_from(path, expected, content)
    if wrong:
        raise DamagedError(f"{path} {wrong}: {remedy}.")


def difference_from(path: Path, expected: Sum, content: np.ndarray | None = None) -> str | None:
    """What is wrong with a file, as a phrase that follows its name; None if it is what was written."""
    try:
        state = path.stat()
        if state.st_size != expected.bytes:
            return f"has {state.st_size} bytes instead of {expected.bytes}"
        key = _key(state)
        found = _known.get(key)
        if found is None:
            found = sum_of(path) if content is None else Sum(content.nbytes, hashlib.sha256(content.data).hexdigest())
            if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > SETTLED_NS:
                _known[key] = found
    except FileNotFoundError:
        return "is missing"
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"
    return None if found == expected else "is damaged (its contents are not what was written)"


def _key(state: os.stat_result) -> tuple[int, ...]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
