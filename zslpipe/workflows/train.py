"""`zslpipe train-head`: train a head on a store."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.check import NO_ATTRIBUTES
from zslpipe.data.examples import without_tests
from zslpipe.data.texts import with_attribute_vectors
from zslpipe.errors import InputError
from zslpipe.files import sha256_json, sha256_rows, write_json
from zslpipe.heads import HEADS, Head
from zslpipe.parallel import mapped, workers
from zslpipe.plugins import loaded_plugins, source_outside
from zslpipe.progress import track
from zslpipe.selection import selection_rule
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.pieces import DONE, MISSING
from zslpipe.store.provenance import backbone_name
from zslpipe.store.rows import Features
from zslpipe.training import checkpoints
from zslpipe.workflows.class_words import describe, lasting_spec
from zslpipe.workflows.examples import Given
from zslpipe.workflows.find import find_store
from zslpipe.workflows.leftovers import resumable, sweep
from zslpipe.workflows.run_record import FORMAT, write_record
from zslpipe.workflows.runs import Run, new_run, runs
from zslpipe.workflows.versions import machine, versions
from zslpipe.workflows.workspace import Workspace


def usable_benchmark(store: FeatureStore) -> tuple[Benchmark, tuple[str, ...]]:
    """The store's benchmark without the rows that have no features, and a note with their number."""
    store.require_no_loss()
    usable = store.status == DONE
    benchmark = store.benchmark
    if usable.all():
        return benchmark, ()
    if not usable.any():
        raise InputError(f"{store.path} has no rows yet: run the extraction or the import again.")
    missing, failed = int((store.status == MISSING).sum()), len(store.failures)
    note = f"{store.path.name}: {missing} rows are not extracted and {failed} failed; they are left out."
    return benchmark.keep(usable), (note,)


def training_request(
    workspace: Workspace,
    head: str,
    store: FeatureStore,
    *,
    semantics: str | None = None,
    word_vectors: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    selection: str = "unseen-class",
    selection_options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
) -> tuple[Benchmark, tuple[str, ...], dict[str, Any]]:
    """What `train_head` trains on, notes about it, and the request, which two runs share if and only if they would be
    the same.

    Raises:
        InputError: if the request is wrong.
    """
    benchmark, notes = usable_benchmark(store)
    told = len(benchmark.notes)
    if semantics is not None:
        benchmark = describe(benchmark, lasting_spec(semantics), store, workspace.data_root)
    if word_vectors is not None:
        benchmark = with_attribute_vectors(benchmark, word_vectors)
    notes = (*notes, *benchmark.notes[told:])
    if not benchmark.semantics.shape[1]:
        raise InputError(f"{benchmark.name}: {NO_ATTRIBUTES}")
    candidates = candidate_settings(HEADS[head], settings or {}, grid or {})
    selection_rule(selection, selection_options or {})  # rejected before any work is done
    request = {
        "head": head,
        "candidates": candidates,
        "store": store.fingerprint,
        "semantics": sha256_rows(benchmark.semantics),
        **({"word_vectors": benchmark.sources["attribute vectors"]} if word_vectors is not None else {}),
        "selection": selection,
        "selection_options": dict(selection_options or {}),
        "seeds": list(seeds),
        **source_outside(HEADS[head]),  # a plugin that was edited is another head
    }
    return benchmark, notes, request


def train_head(
    workspace: Workspace,
    head: str,
    store: FeatureStore,
    *,
    semantics: str | None = None,
    word_vectors: Path | None = None,
    examples: Path | None = None,
    refit: bool = False,
    settings: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    selection: str = "unseen-class",
    selection_options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
    recipe: Mapping[str, Any] | None = None,
    reuse: bool = False,
    jobs: int = 1,
) -> tuple[Run, bool]:
    """Select, train and save one head per seed; returns the run and whether it was found in the cache.

    Photos of unseen classes in the folder `examples` move the scores of these classes, or with `refit` are trained on.
    Word vectors of attributes are taken from the file `word_vectors`, by default from the benchmark. Given
    `settings` are fixed; of those in `grid`, `selection` tries all combinations of the listed values; the others
    are chosen from the head's search space. With `reuse`, a run of the same request is taken from the cache. A call
    that was killed resumes from its last checkpoint when repeated. `jobs` processes share the seeds, or the folds of a
    single seed; the result is the same.
    """
    benchmark, notes, request = training_request(
        workspace,
        head,
        store,
        semantics=semantics,
        word_vectors=word_vectors,
        settings=settings,
        grid=grid,
        selection=selection,
        selection_options=selection_options,
        seeds=seeds,
    )
    given = Given.of(examples, benchmark, refit, store)
    if given is not None:
        tests = len(benchmark.test_unseen)
        benchmark = without_tests(benchmark, given.examples)
        request["examples"] = given.request()
        notes = (*notes, given.note(tests - len(benchmark.test_unseen)))
    sweep(workspace)
    if reuse:
        for run in runs(workspace.runs):
            if run.about["request"] == request:
                return run, True
    created = datetime.now(UTC)
    name = f"{benchmark.name}-{head}-{created:%Y%m%d-%H%M%S}"
    with (
        resumable(workspace, sha256_json(request)[:16]) as unfinished,
        explain_interrupt(unfinished),
        new_run(workspace.runs, name) as made,
        checkpoints(unfinished),
        workers(jobs, loaded_plugins(), partial(checkpoints, unfinished)),
    ):
        train = partial(_train_seed, made.folder, request, store.features(), benchmark, given)
        done = map(train, seeds) if len(seeds) == 1 else mapped(train, seeds)
        for _ in track(done, f"{head} on {benchmark.name}, seeds", len(seeds)):
            pass
        benchmark.save(made.folder / "benchmark.npz")
        about = {
            "created": created.isoformat(),
            "notes": list(notes),
            "recipe": dict(recipe or {}),
            "request": request,
            "semantics": lasting_spec(semantics) if semantics else "att",
        }
        write_record(made.folder, {**about, **_described(benchmark, store, request)})
    return made.run, False


def _train_seed(
    folder: Path,
    request: Mapping[str, Any],
    features: Features,
    benchmark: Benchmark,
    given: Given | None,
    seed: int,
) -> None:
    """Select and train the head of one seed, and save it below `folder`."""
    head = HEADS[request["head"]]
    fix_seed = {"seed": seed} if "seed" in head().get_params() else {}
    selector = selection_rule(request["selection"], {"seed": seed, **request["selection_options"]})
    choice, fitted = selector.select(
        head(**fix_seed), features, benchmark, [{**c, **fix_seed} for c in request["candidates"]]
    )
    if given is not None:
        shown = given.to(fitted, choice, benchmark, folder / f"seed-{seed}")
        shown.save(folder / f"seed-{seed}")
        fitted = shown.base
    fitted.save(folder / f"seed-{seed}")
    for name, other in selector.refit_without(head(**fix_seed), features, benchmark, choice):
        other.save(folder / f"seed-{seed}" / name)
    write_json(folder / f"seed-{seed}" / "choice.json", choice.to_json())


@contextmanager
def explain_interrupt(unfinished: Path) -> Iterator[None]:
    """Add to an interruption what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        kept = "a checkpoint is kept; the same command continues from it."
        stop.add_note(kept if unfinished.is_dir() else "nothing was saved yet; the same command starts again.")
        raise


def _described(benchmark: Benchmark, store: FeatureStore, request: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of a run in `run.json`, in addition to the request."""
    return {
        "dataset": benchmark.name,
        "format": FORMAT,
        "machine": machine(),
        "plugins": loaded_plugins(),
        "sources": dict(benchmark.sources),
        "store": {
            "path": store.location,
            "fingerprint": store.fingerprint,
            "backbone": backbone_name(store.provenance),
        },
        "versions": versions(),
        **{key: request[key] for key in ("head", "seeds", "selection")},
    }


def train_from_cache(
    workspace: Workspace,
    head: str,
    *,
    store: str | None = None,
    dataset: str | None = None,
    backbone: str | None = None,
    **options: Any,
) -> tuple[Run, tuple[str, ...]]:
    """`train_head` on a store found by name or content (the newest one); returns the run and what to print
    about the choice of the store.
    """
    HEADS[head]  # an unknown head is rejected before stores are searched
    found = find_store(workspace, store, dataset, backbone)
    run, _ = train_head(workspace, head, found, **options)
    return run, () if store else (f"store    {found.path.name} (the newest that fits)",)


def settings_of_options(head: str, **options: str | None) -> dict[str, str]:
    """The settings of a head that are also options of the command, such as `device`; None stands for the default.

    Raises:
        InputError: if the head has no such setting, and does not do the same anyway.
    """
    known, given = HEADS[head]().get_params(), {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        if key not in known and value not in ("auto", "cpu", "cached"):
            others = ", ".join(name for name in HEADS if key in HEADS[name]().get_params())
            option = key.replace("_", "-")
            raise InputError(f"{head} takes no --{option}: leave it out, or train a head that does ({others}).")
    return {key: value for key, value in given.items() if key in known}


def candidate_settings(
    head: type[Head], settings: Mapping[str, Any], grid: Mapping[str, Sequence[Any]] | None = None
) -> list[dict[str, Any]]:
    """The head's search space with `settings` fixed and those of `grid` at all of their values, each candidate once."""
    candidates: list[dict[str, Any]] = []
    points = [dict(zip(grid or {}, values)) for values in product(*(grid or {}).values())]
    for point in points:
        head().with_params(**settings, **point)  # rejects unknown names and values before any work is done
    for candidate, point in product(head.search_space(), points):
        fixed = {**candidate, **settings, **point}
        if fixed not in candidates:
            candidates.append(fixed)
    return candidates
