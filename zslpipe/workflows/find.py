"""Find a store by name, by its content, or the newest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zslpipe.errors import InputError
from zslpipe.files import read_json
from zslpipe.json_types import missing_or_mismatched
from zslpipe.registry import unknown
from zslpipe.store.bucket import is_url
from zslpipe.store.catalog import newest_store, stores
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import STORE
from zslpipe.store.metadata import image_list_hash
from zslpipe.store.remote import RemoteStore, mirror_of
from zslpipe.workflows.runs import Run
from zslpipe.workflows.workspace import Workspace

ORIGIN = "store.json"  # in a run that was pulled
PROVENANCE: dict[str, Any] = {"fingerprinted": dict[str, Any], "recorded": dict[str, Any]}


def find_store(
    workspace: Workspace, store: str | None = None, dataset: str | None = None, backbone: str | None = None
) -> FeatureStore:
    """The store with that name, folder or URL; without one, the newest store of that dataset and backbone.

    Raises:
        InputError: if there is none, or the named store has features of another dataset.
    """
    if store is None:
        return newest_store(workspace.cache, dataset, backbone)
    if is_url(store):
        return _of_dataset(RemoteStore.at(store, workspace.mirrors), dataset)
    path = Path(store) if Path(store).is_dir() else workspace.stores / store
    if not path.is_dir():
        raise unknown("store", store, [summary.path.name for summary in stores(workspace.cache)])
    return _of_dataset(FeatureStore.open(path), dataset)


def _of_dataset(found: FeatureStore, dataset: str | None) -> FeatureStore:
    if dataset is not None and found.dataset != dataset:
        raise InputError(
            f"{found.location} has features of {found.dataset}, not of {dataset}: name a store of {dataset}."
        )
    return found


def store_of_run(workspace: Workspace, run: Run) -> FeatureStore:
    """The store that a run was trained on: at its path then, or any store with the same fingerprint.

    Raises:
        InputError: if there is none.
    """
    wanted = run.about["store"]["fingerprint"]
    if is_url(run.about["store"]["path"]):
        url = run.about["store"]["path"]
        if not mirror_of(url, workspace.mirrors).exists():  # a run of a stranger must not name what is read
            raise InputError(
                f"run {run.name} was trained on {url}: open that store here once (zslpipe cache info {url}), then run "
                "again."
            )
        there = RemoteStore.at(url, workspace.mirrors)
        if there.fingerprint == wanted and there.dataset == run.about["dataset"]:
            _require_same_images(run, there)
            return there
    places = [Path(run.about["store"]["path"]), *(summary.path for summary in stores(workspace.cache))]
    for path in places:
        if (path / STORE).is_file():
            try:
                found = FeatureStore.open(path)
            except InputError:  # another store, which is damaged
                continue
            if found.fingerprint == wanted and found.dataset == run.about["dataset"]:
                _require_same_images(run, found)
                return found
    raise InputError(
        f"the store of run {run.name} (fingerprint {wanted[:8]}) is not in {workspace.stores}: "
        f"extract {run.about['dataset']} with {run.about['store']['backbone']} again."
    )


@dataclass(frozen=True)
class Origin:
    """How the features of a run were made, if the run came without its store."""

    path: Path
    provenance: dict[str, Any]


def origin_of_run(workspace: Workspace, run: Run) -> FeatureStore | Origin:
    """The store of the run; for a run that was pulled and has none here, what it says of its store.

    Raises:
        InputError: if there is neither.
    """
    try:
        return store_of_run(workspace, run)
    except InputError:
        if not (run.path / ORIGIN).is_file():
            raise
    try:
        provenance = read_json(run.file(ORIGIN))["provenance"]
        if wrong := missing_or_mismatched(provenance, PROVENANCE, {}):
            raise ValueError(wrong)
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise InputError(
            f"{run.path / ORIGIN} is not what zslpipe pull wrote ({problem}): pull the run again."
        ) from problem
    return Origin(run.path, provenance)


def _require_same_images(run: Run, store: FeatureStore) -> None:
    if image_list_hash(run.benchmark) != store.layout.images:
        raise InputError(
            f"the images of run {run.name} are not those of its store {store.path}: the run was changed or belongs to "
            "another store; train it again."
        )


def lasting(name_or_path: str) -> str:
    """The absolute path if the path exists; names are left unchanged."""
    return str(Path(name_or_path).resolve()) if Path(name_or_path).exists() else name_or_path
