"""`zslpipe derive`: store the embeddings of a trained head as features, fold by fold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.files import sha256_file, sha256_json
from zslpipe.heads import HEADS, Head, load_head
from zslpipe.parts.embeds import Embeds
from zslpipe.progress import track
from zslpipe.selection import fit, selection_rule
from zslpipe.store.catalog import store_path
from zslpipe.store.derived import admissible, versions_header
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec, good_piece_rows
from zslpipe.store.pieces import DONE, MISSING
from zslpipe.store.provenance import backbone_name, fingerprint
from zslpipe.store.rows import Features, take
from zslpipe.store.version import Version
from zslpipe.training import checkpoints
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.leftovers import resumable, sweep
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.train import usable_benchmark
from zslpipe.workflows.versions import versions
from zslpipe.workflows.workspace import Workspace

TAP = "global"  # one vector per image, which every head can read


@dataclass(frozen=True)
class Derivation:
    """A derived store, how many rows were computed now, and how many were there before."""

    store: FeatureStore
    computed: int
    reused: int
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        store = self.store
        return {
            "store": str(store.path),
            "fingerprint": store.fingerprint,
            "taps": {tap: [len(store), *spec.shape] for tap, spec in store.taps.items()},
            "labels_seen": {v.tap: {"images": int(v.images.sum()), "classes": len(v.classes)} for v in store.versions},
            "computed": self.computed,
            "reused": self.reused,
            "failed": {f.path: f.error for f in store.failures.values()},
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Model:
    """A trained head, the features that it reads, and the version of the store that it makes."""

    head: Head
    features: Features
    version: Version

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), E) float32."""
        assert isinstance(self.head, Embeds)
        embedded: np.ndarray = np.asarray(self.head.embed(take(self.features, rows)), np.float32)
        return embedded


def derive_store(
    workspace: Workspace,
    run_name: str | None = None,
    *,
    seed: int | None = None,
    folds: bool = True,
    seeds: Sequence[int] | None = None,
    selection: str | None = None,
    selection_options: Mapping[str, Any] | None = None,
) -> Derivation:
    """Store the embeddings that a run's head makes of all images; resumes if it was interrupted.

    Besides the final version there is one for every problem on which a selection rule fits heads before the final fit.
    Their models use the run's head and settings, are fitted on the training images of the problem, and are saved in
    RUN/seed-N/folds.

    Args:
        workspace: where runs and stores are.
        run_name: name or folder of the run; None for the newest.
        seed: which of the run's heads; None for its first.
        folds: False for the final version only, on which no setting can be selected.
        seeds: seeds of the selection that the store will be used for; None for `seed` only.
        selection, selection_options: the selection rule; None for that of the run.

    Raises:
        InputError: if the run's head has no embedding, or the store that it was trained on is missing or incomplete.
    """
    run = find_run(workspace.runs, run_name)
    seed = run.seeds[0] if seed is None else seed
    if seed not in run.seeds:
        raise InputError(f"run {run.name} has no seed {seed}; available: {', '.join(map(str, run.seeds))}.")
    if selection is None:
        selection, selection_options = run.about["selection"], run.about["request"]["selection_options"]
    options = dict(selection_options or {})
    numbers = list([seed] if seeds is None else seeds) if folds else []
    request = {
        "kind": "derive",
        "run_name": run.name if run.path.parent == workspace.runs else str(run.path.absolute()),
        "seed": seed,
        "folds": folds,
        "seeds": numbers,
        "selection": selection,
        "selection_options": options,
    }
    rules = [selection_rule(selection, {"seed": number, **options}) for number in numbers]
    parent = source_store(workspace, run)
    problems = [problem for rule in rules for problem in rule.inner_problems(run.benchmark)]
    folder, head = run.path / f"seed-{seed}", run.head(seed)
    if not isinstance(head, Embeds):
        able = ", ".join(name for name in HEADS if hasattr(HEADS[name], "embed"))
        raise InputError(f"head '{head.name}' of run {run.name} has no embedding: train one of {able}.")
    sweep(workspace)
    models = [
        trained_model(head, folder, parent, run.benchmark, TAP),
        *fold_models(workspace, folder, head, parent, problems),
    ]
    store, reused = create_store(workspace, parent, head, models, request)
    computed = sum(write(store, parent, models))
    note = (f"run {run.name} (the newest)",) if run_name is None else ()
    return Derivation(store, computed, reused, note)


def source_store(workspace: Workspace, run: Run) -> FeatureStore:
    """The store that a run was trained on, if it is complete and its rows are unchanged.

    Raises:
        InputError: if it is missing or incomplete, or its usable rows have changed.
    """
    parent = store_of_run(workspace, run)
    if missing := int((parent.status == MISSING).sum()):
        raise InputError(
            f"{missing} rows of {parent.path} are missing: finish the extraction or repair the store first."
        )
    usable, _ = usable_benchmark(parent)
    parts = ("trainval", "test_seen", "test_unseen")
    if not all(np.array_equal(getattr(usable, part), getattr(run.benchmark, part)) for part in parts):
        raise InputError(f"usable rows of {parent.path} have changed since run {run.name} was trained: train again.")
    return parent


def trained_model(head: Head, folder: Path, parent: FeatureStore, problem: Benchmark, tap: str) -> Model:
    """The model of a head in `folder`, which was fitted on the problem's training images."""
    features = admissible(parent.features(), problem)
    images = np.zeros(len(parent), bool)
    images[problem.trainval] = True
    for version in getattr(features, "used", ()):  # images whose labels the features already depend on
        images |= version.images
    weights = sha256_file(folder / "head.safetensors")
    return Model(head, features, Version.made(tap, TAP, images, parent.benchmark, weights))


def fold_models(
    workspace: Workspace, folder: Path, head: Head, parent: FeatureStore, problems: Sequence[Benchmark]
) -> list[Model]:
    """A model for each distinct problem, fitted now unless an earlier call did so."""
    places = fold_places(folder, problems)
    models: list[Model] = []
    for place, problem in track(places, f"fitting {head.name}, folds", len(places)):
        with resumable(workspace, f"{parent.fingerprint[:8]}-{place.name}") as unfinished, checkpoints(unfinished):
            if not (place / "head.json").is_file():
                fit(head.with_params(), parent.features(), problem).save(place)
        models.append(trained_model(load_head(place), place, parent, problem, f"{TAP}_fold{len(models) + 1}"))
    return models


def fold_places(folder: Path, problems: Sequence[Benchmark]) -> list[tuple[Path, Benchmark]]:
    """The distinct problems and where their heads are saved."""
    by_key = {sha256_json([p.trainval.tolist(), list(p.class_names)])[:12]: p for p in problems}
    return [(folder / "folds" / key, problem) for key, problem in by_key.items()]


def create_store(
    workspace: Workspace, parent: FeatureStore, head: Head, models: Sequence[Model], request: Mapping[str, Any]
) -> tuple[FeatureStore, int]:
    """The store of the models' embeddings, created if need be, and the number of rows in it."""
    first = np.flatnonzero(parent.status == DONE)[:1]
    taps = {model.version.tap: TapSpec(model.embed(first).shape[1:], "float32") for model in models}
    name = f"{backbone_name(parent.provenance)}+{head.name}"
    provenance = {
        "fingerprinted": {
            "backbone": {"name": name},
            "dataset": parent.dataset,
            "images": parent.layout.images,
            "derived": {
                "model": {"head": head.name, "params": head.get_params()},
                "parent": parent.fingerprint,
                "versions": versions_header([model.version for model in models]),
            },
        },
        "recorded": {"request": dict(request), "parent": parent.path.name, "versions": versions()},
    }
    row_bytes = 4 * sum(spec.shape[0] for spec in taps.values())
    path = store_path(workspace.cache, parent.dataset, name, fingerprint(provenance))
    store = FeatureStore.open_or_create(
        path, parent.benchmark, taps, provenance, good_piece_rows(len(parent), row_bytes)
    )
    return store, int((store.status != MISSING).sum())


def write(store: FeatureStore, parent: FeatureStore, models: Sequence[Model]) -> Iterator[int]:
    """Write the pieces that are missing, and yield how many rows each has; images that failed in the parent fail."""
    failures = parent.failures
    with store.claim(store.missing_pieces()) as pieces:
        for piece in track(pieces, f"deriving {store.path.name}"):
            rows = store.piece_rows_of(piece)
            failed = {row: failures[row] for row in rows if row in failures}
            usable = np.array([row for row in rows if row not in failed], np.int64)
            values = {tap: np.zeros((len(rows), *spec.shape), np.float32) for tap, spec in store.taps.items()}
            for model in models if len(usable) else ():
                values[model.version.tap][usable - rows.start] = model.embed(usable)
            store.write_piece(piece, values, failed)
            yield len(rows)
