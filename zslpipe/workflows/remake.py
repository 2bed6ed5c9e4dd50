"""Recompute lost pieces of a store, depending on how it was made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.load import load_benchmark
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.json_types import missing_or_mismatched, shown
from zslpipe.registry import unknown
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.remote import RemoteStore
from zslpipe.store.repair import header_of
from zslpipe.workflows.convert import import_store
from zslpipe.workflows.derive import derive_store
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.workspace import Workspace

Request = dict[str, Any]
Remake = Callable[[Workspace, FeatureStore, Request], tuple[FeatureStore, int]]


def _extract(workspace: Workspace, store: FeatureStore, request: Request) -> tuple[FeatureStore, int]:
    to = store.url.rpartition("/")[0] if isinstance(store, RemoteStore) else None
    done = extract_store(workspace, **_arguments(extract_store, request), to=to)
    return done.store, done.computed


def _derive(workspace: Workspace, store: FeatureStore, request: Request) -> tuple[FeatureStore, int]:
    done = derive_store(workspace, **_arguments(derive_store, request))
    return done.store, done.computed


def _import(workspace: Workspace, store: FeatureStore, request: Request) -> tuple[FeatureStore, int]:
    given = _arguments(import_store, request)
    given["files"] = [Path(file) for file in given.get("files", ())]
    if given["files"] and all(file.is_file() for file in given["files"]):
        rows = sum(len(store.piece_rows_of(piece)) for piece in store.missing_pieces())
        return import_store(workspace, **given), rows
    files = " ".join(dict.fromkeys(file["name"] for file in store.provenance["recorded"].get("files", {}).values()))
    raise InputError(
        f"{len(store.missing_pieces())} pieces of {store.path} are lost and cannot be made again: import the same file "
        f"again (zslpipe import {files or 'FILE'} --dataset {store.dataset})."
    )


def _arguments(function: Callable[..., Any], request: Request) -> dict[str, Any]:
    """The arguments in a request, which may come from anyone, as the function takes them.

    Raises:
        InputError: if one is unknown or has the wrong type.
    """
    kinds = {name: kind for name, kind in get_type_hints(function).items() if name not in ("workspace", "to", "return")}
    wrong = missing_or_mismatched(request, {}, kinds)
    if unknown_keys := set(request) - set(kinds):
        wrong = f"it has an unknown key {shown(min(unknown_keys))}"
    if wrong:
        raise InputError(f"the store does not record how it was made ({wrong}): create it again.")
    found = {key: tuple(value) if isinstance(value, list) else value for key, value in request.items()}
    table = request.get("class_table")
    return {**found, "class_table": Path(table)} if table else found


KINDS: dict[str, Remake] = {"extract": _extract, "derive": _derive, "import": _import}


def kind_of(store: FeatureStore) -> str:
    """How a store was made: extract, derive or import; the request of an extraction does not record its kind."""
    recorded = store.provenance["recorded"]
    return str(recorded["request"].get("kind", "extract")) if "request" in recorded else "import"


def remake(workspace: Workspace, store: FeatureStore) -> int:
    """Recompute the missing pieces of a store; returns the number of rows.

    Raises:
        InputError: if what it was made from is gone or has changed.
    """
    kind = kind_of(store)
    if kind not in KINDS:
        raise unknown("kind of store", kind, KINDS)
    request = store.provenance["recorded"].get("request", {})
    made, rows = KINDS[kind](workspace, store, {key: value for key, value in request.items() if key != "kind"})
    if made.path != store.path:
        raise InputError(
            f"what {store.path} was made from (images, backbone, model or file) has changed since: its features are "
            f"now in {made.path}; remove the old store."
        )
    return rows


def benchmark_of(workspace: Workspace, path: Path, dataset: str | None = None) -> Benchmark:
    """The benchmark that a store was made for, read again: from `dataset`, else as its request says.

    Raises:
        InputError: if it cannot be read; the message asks for the dataset.
    """
    layout = header_of(path)
    recorded = layout.provenance["recorded"]
    request: Request = recorded.get("request", {})
    try:
        if dataset is None and request.get("kind") == "derive":
            return FeatureStore.open(workspace.stores / str(recorded.get("parent"))).benchmark
        table = request.get("class_table") if dataset is None else None
        name = dataset or str(request.get("dataset", layout.dataset))
        return load_benchmark(
            name, workspace.data_root, tables=Path(str(table)) if table else None, cache=workspace.cache
        )
    except ZslpipeError as problem:
        raise InputError(
            f"the benchmark of {path} is damaged and cannot be read again ({problem}): name its dataset with --dataset."
        ) from problem
