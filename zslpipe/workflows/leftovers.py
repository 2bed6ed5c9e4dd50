"""What killed commands leave behind: taken up again, swept at the next start, or listed to be removed by hand."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from zslpipe.errors import LockedError, ZslpipeError
from zslpipe.files import REMOVED, remove_folder
from zslpipe.store.claims import claim
from zslpipe.workflows.workspace import Workspace

CHECKPOINTS = "checkpoints"  # folder within the cache
SWEPT_AFTER_S = 3600.0  # a temporary file this old is nobody's any more


class Leftover(NamedTuple):
    """Something in the cache that is neither a store nor a run; `state` says in words what it is."""

    kind: str
    path: Path
    state: str


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """Mark CACHE/kind/name as used by this process while the block runs.

    The mark is a lock of one byte of CACHE/.lock: it ends with the process, and the folder can be deleted and renamed.

    Raises:
        LockedError: if another process or thread uses it.
    """
    cache, name = path.parents[1], f"{path.parent.name}/{path.name}"
    cache.mkdir(parents=True, exist_ok=True)
    byte = int.from_bytes(hashlib.sha256(name.encode()).digest()[:5])
    with claim(cache / ".lock", [byte], name):
        yield


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """`in_use` that waits: processes that make the same file do so one after the other, and find what the first made.

    Where there are no locks, or the cache can only be read, nobody waits.
    """
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(in_use(path))
            except LockedError:
                time.sleep(0.1)
                continue
            except ZslpipeError:
                pass
            break
        yield


def is_abandoned(path: Path) -> bool:
    """Whether nobody uses a folder that is made and used within `in_use`."""
    try:
        with in_use(path):
            return True
    except ZslpipeError:  # also if the cache can only be read
        return False


@contextmanager
def resumable(workspace: Workspace, name: str) -> Iterator[Path]:
    """A folder for the checkpoints of work that is identified by the hash `name`; deleted if the block succeeds.

    Identical work at the same time gets a folder of its own; repeated work takes up what a killed one has left.
    """
    with ExitStack() as held:
        for twin in count(1):
            folder = workspace.cache / CHECKPOINTS / (name if twin == 1 else f"{name}-{twin}")
            try:
                held.enter_context(in_use(folder))
                break
            except LockedError:
                continue
        yield folder
        if folder.exists():
            remove_folder(folder)
    for other in (workspace.cache / CHECKPOINTS).glob(f"{name}*"):  # of killed twins: this work is done now
        with suppress(LockedError), in_use(other):
            remove_folder(other)


def leftovers(workspace: Workspace) -> list[Leftover]:
    """Everything that killed commands have left in the cache, and checkpoints of commands that are still running."""
    found = []
    for path in sorted((workspace.cache / CHECKPOINTS).glob("[!.]*")):
        of = "an interrupted training, which can resume from it" if is_abandoned(path) else "a training that is running"
        found.append(Leftover("checkpoint", path, f"of {of}"))
    for path in _unfinished_runs(workspace):
        if is_abandoned(path):
            found.append(Leftover("leftover", path, "of a killed training"))
    found += [Leftover("leftover", path, "half removed") for path in _half_removed(workspace)]
    found += [Leftover("leftover", path, "an unfinished file") for path in _temporary(workspace)]
    return found


def sweep(workspace: Workspace) -> None:
    """Delete what killed commands have left and no command can take up again; checkpoints stay."""
    for path in _half_removed(workspace):
        shutil.rmtree(path, ignore_errors=True)
    if os.name == "posix":  # elsewhere there are no locks between processes
        for path in _unfinished_runs(workspace):
            if is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
    now = time.time()
    for path in _temporary(workspace):
        with suppress(FileNotFoundError):  # another process has finished it meanwhile
            if now - path.stat().st_mtime > SWEPT_AFTER_S:
                path.unlink()


def _unfinished_runs(workspace: Workspace) -> list[Path]:
    return [p for p in sorted(workspace.runs.glob(".*")) if p.is_dir() and not p.name.endswith(REMOVED)]


def _half_removed(workspace: Workspace) -> list[Path]:
    return [p for p in sorted(workspace.cache.glob(f"*/.*{REMOVED}")) if p.is_dir()]


def _temporary(workspace: Workspace) -> list[Path]:
    """Files with a temporary name, except in stores, which clean up after themselves."""
    places = ("", "reports/", "runs/[!.]*/", "runs/[!.]*/seed-*/", "runs/[!.]*/seed-*/scores/")
    return sorted(path for place in places for path in workspace.cache.glob(f"{place}.*.tmp") if path.is_file())
