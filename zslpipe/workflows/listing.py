"""`zslpipe cache ls`: what the cache holds, without importing what works with it."""

import os
from pathlib import Path
from typing import Any

from zslpipe.store.catalog import stores
from zslpipe.workflows.leftovers import leftovers
from zslpipe.workflows.runs import sorted_runs
from zslpipe.workflows.workspace import Workspace


def listing(workspace: Workspace) -> list[dict[str, Any]]:
    """One row per store, run, checkpoint and leftover; stores and runs newest first."""
    rows = []
    for store in stores(workspace.cache):
        whole = "complete" if store.written == store.rows else f"{store.written} of {store.rows} images"
        rows.append(_row("store", store.path, store.problem or whole, store.bytes))
    usable, unusable = sorted_runs(workspace.runs)
    for run in usable:
        count = len(run.seeds)
        rows.append(_row("run", run.path, f"{count} seed{'s' * (count > 1)}", _size(run.path)))
    for run in unusable:
        rows.append(_row("run", run.path, str(run.problem), _size(run.path)))
    for left in leftovers(workspace):
        rows.append(_row(left.kind, left.path, left.state, _size(left.path)))
    return rows


def _row(kind: str, path: Path, state: str, size: int) -> dict[str, Any]:
    return {"kind": kind, "name": path.name, "state": state, "path": str(path), "size_mb": size / 1e6}


def _size(path: Path | str) -> int:
    """Bytes of a file, or of all files in a folder; 0 for what another process removes meanwhile."""
    try:
        with os.scandir(path) as entries:
            return sum(
                _size(e.path) if e.is_dir(follow_symlinks=False) else e.stat().st_size for e in entries if _real(e)
            )
    except NotADirectoryError:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


def _real(entry: "os.DirEntry[str]") -> bool:
    return entry.is_file() or entry.is_dir()
