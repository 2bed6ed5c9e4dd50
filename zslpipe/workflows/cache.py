"""`zslpipe cache`: describe, verify, repair and remove stores and runs."""

from glob import escape
from pathlib import Path
from typing import Any

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.files import REMOVED, remove_folder
from zslpipe.registry import unknown
from zslpipe.store.bucket import is_url
from zslpipe.store.catalog import stores
from zslpipe.store.derived import readable
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import BENCHMARK
from zslpipe.store.remote import RemoteStore
from zslpipe.store.remote_damage import repair_remote, verify_remote
from zslpipe.store.repair import repair
from zslpipe.store.verify import verify
from zslpipe.workflows.find import find_store
from zslpipe.workflows.listing import listing
from zslpipe.workflows.remake import benchmark_of, remake
from zslpipe.workflows.run_record import ABOUT, damaged_files, read_record
from zslpipe.workflows.runs import all_runs
from zslpipe.workflows.workspace import Workspace


def describe(workspace: Workspace, name: str | None) -> dict[str, Any]:
    """The contents and provenance of a store."""
    store = find_store(workspace, name)
    counts = {word: int((store.status == code).sum()) for code, word in enumerate(("missing", "done", "failed"))}
    return {
        "store": store.location if isinstance(store, RemoteStore) else str(store.path),
        "dataset": store.dataset,
        "rows": counts,
        "taps": {tap: f"{len(store)} x {' x '.join(map(str, s.shape))} {s.dtype}" for tap, s in store.taps.items()},
        "pieces": f"{store.pieces} of {store.piece_rows} rows",
        "fingerprint": store.fingerprint,
        "provenance": readable(store.provenance, len(store)),
        "failures": {f.path: f"{f.error} ({f.decoder})" for f in store.failures.values()},
    }


def verify_all(workspace: Workspace, name: str | None) -> dict[str, list[str]]:
    """Damage of each store and run in sentences, for one of them or for all."""
    if name is not None and is_url(name):
        return {name: [str(damage) for damage in verify_remote(RemoteStore.at(name, workspace.mirrors))]}
    path = None if name is None else Path(name) if Path(name).is_dir() else find(workspace, name)
    if path is not None:
        return {path.name: _run_damage(path) if _is_run(workspace, path) else _store_damage(path)}
    known_stores = {summary.path.name: _store_damage(summary.path) for summary in stores(workspace.cache)}
    return known_stores | {run.name: _run_damage(run.path) for run in all_runs(workspace.runs)}


def _is_run(workspace: Workspace, path: Path) -> bool:
    return (path / ABOUT).exists() or path.parent == workspace.runs


def _store_damage(path: Path) -> list[str]:
    try:
        return [str(damage) for damage in verify(path)]
    except ZslpipeError as problem:
        return [str(problem)]


def _run_damage(path: Path) -> list[str]:
    try:
        found = damaged_files(path, read_record(path))
    except ZslpipeError as problem:
        return [str(problem)]
    return [f"{name} {wrong}" for name, wrong in found.items()]


def repair_store(workspace: Workspace, name: str | None, dataset: str | None = None) -> dict[str, Any]:
    """Rebuild the metadata of a store and recompute its damaged pieces, and no others.

    Args:
        workspace: where datasets and stores are.
        name: of the store; None for the newest.
        dataset: what a damaged benchmark is read from; None for what the store was made from.

    Raises:
        InputError: if what the store was made from is gone or has changed, or `name` is a run.
    """
    if name is not None and is_url(name):
        there = RemoteStore.at(name, workspace.mirrors)
        damages = verify_remote(there)
        lost = any(damage.file == BENCHMARK for damage in damages)
        done = repair_remote(there, damages, benchmark_of(workspace, there.path, dataset) if lost else None)
        store: FeatureStore = RemoteStore.at(name, workspace.mirrors)
    else:
        path = find_store(workspace, name).path if name is None else find(workspace, name)
        if _is_run(workspace, path):
            raise InputError(f"{path.name} is a run, which cannot be repaired: remove it and train it again.")
        damages = verify(path)
        lost = any(damage.file == BENCHMARK for damage in damages)
        done = repair(path, damages, benchmark_of(workspace, path, dataset) if lost else None)
        store = FeatureStore.open(path)
    return {
        "store": store.location if isinstance(store, RemoteStore) else str(store.path),
        "damaged": len(done.pieces),
        "rebuilt": done.rebuilt,
        "removed": done.removed,
        "rows": remake(workspace, store) if store.missing_pieces() else 0,
    }


def find(workspace: Workspace, name: str) -> Path:
    """The path of the store, run, checkpoint or leftover with this name; also of one that is already half removed.

    Raises:
        UnknownNameError: if there is none.
    """
    known = {row["name"]: Path(row["path"]) for row in listing(workspace)}
    if name not in known and (halves := sorted(workspace.cache.glob(f"*/.{escape(name)}.*{REMOVED}"))):
        return halves[0]
    if name not in known:
        raise unknown("store or run", name, known)
    return known[name]


def remove(path: Path) -> None:
    """Delete what `find` returned."""
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
    else:
        path.unlink()
