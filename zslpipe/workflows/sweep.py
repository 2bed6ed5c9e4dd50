"""`zslpipe sweep`: many runs, several at a time, on this machine or a cluster; what is finished is found again."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from zslpipe.errors import ZslpipeError
from zslpipe.evaluation.results_table import Row, results_text
from zslpipe.files import sha256_json
from zslpipe.plugins import load_plugin, loaded_plugins
from zslpipe.progress import say, ticking
from zslpipe.spread import Backend, require_backend, spread
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.remote import open_store
from zslpipe.workflows.evaluate import EVALUATION, Evaluation, evaluate_run, saved_evaluation, table_rows
from zslpipe.workflows.find import find_store
from zslpipe.workflows.report import report
from zslpipe.workflows.runs import Run, runs
from zslpipe.workflows.sweep_file import Point, SweepFile
from zslpipe.workflows.train import train_head, training_request
from zslpipe.workflows.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """One run of a sweep: its evaluation, or the sentence with which it failed.

    Attributes:
        point: what was asked for.
        evaluation: None if it failed.
        error: None if it did not.
        found: whether it was finished before.
        seconds: to train and evaluate it in this call.
    """

    point: Point
    evaluation: Evaluation | None = None
    error: str | None = None
    found: bool = False
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        point, done = self.point, self.evaluation
        return {
            "label": point.label,
            "head": point.head,
            "settings": point.settings,
            "semantics": point.semantics,
            "store": point.store,
            "run": done.run.name if done else None,
            "found": self.found,
            "seconds": round(self.seconds, 1),
            "error": self.error,
            "evaluation": done.as_json() if done else None,
        }


@dataclass(frozen=True)
class SweepResult:
    """All runs in the order of the file, and the page about those that succeeded (None if none did)."""

    outcomes: tuple[Outcome, ...]
    page: Path | None

    @property
    def failures(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.error is not None)

    def as_json(self) -> dict[str, Any]:
        return {
            "runs": [outcome.as_json() for outcome in self.outcomes],
            "failed": len(self.failures),
            "page": str(self.page) if self.page else None,
        }

    def text(self) -> str:
        """One table; failures are listed below it."""
        rows: list[Row] = []
        for outcome in self.outcomes:
            if outcome.evaluation is not None:
                first, *others = table_rows([outcome.evaluation])
                rows += [replace(first, name=outcome.point.label), *others]
        failed = [f"failed   {outcome.point.label}: {outcome.error}" for outcome in self.failures]
        return "\n".join([*([results_text(rows)] if rows else []), *failed])


class _Task(NamedTuple):
    """What a worker process gets."""

    workspace: Workspace
    point: Point
    store: str  # its folder or URL
    plugins: tuple[str, ...]
    threads: int


class _Done(NamedTuple):
    run: Path | None
    error: str | None
    seconds: float


def sweep(
    workspace: Workspace,
    path: Path,
    *,
    jobs: int | None = None,
    on: Backend = "loky",
    threads: int | None = None,
    page: Path | None = None,
) -> SweepResult:
    """Train and evaluate all runs of a sweep file, `jobs` at a time, and write one report.

    Runs of the same request that are in the cache are not trained again, so that a call that was interrupted goes on
    when it is repeated. A run that fails does not stop the others.

    Args:
        path: see `zslpipe.workflows.sweep_file`.
        jobs: processes; one per core by default.
        on: see `zslpipe.spread`. The processes of a cluster must see cache and data under the same paths.
        threads: of each run; by default the cores are shared out.
        page: the report; by default CACHE/reports/NAME.html, named as the sweep file.

    Raises:
        InputError: if the file, a store or semantics are wrong; nothing is trained then.
    """
    points = SweepFile.read(path).points()
    outcomes = dict(run_points(workspace, points, jobs=jobs, on=on, threads=threads, name=f"sweep {path.stem}"))
    ordered = tuple(outcomes[number] for number in range(len(points)))
    names = list(dict.fromkeys(o.evaluation.run.name for o in ordered if o.evaluation))
    page = page or workspace.cache / "reports" / f"{path.stem}.html"
    return SweepResult(ordered, report(workspace, names, page).path if names else None)


def run_points(
    workspace: Workspace,
    points: Sequence[Point],
    *,
    jobs: int | None = None,
    on: Backend = "loky",
    threads: int | None = None,
    name: str = "sweep",
) -> Iterator[tuple[int, Outcome]]:
    """Train and evaluate points: (number of the point, its outcome) as they come, those that are in the cache first.

    The arguments are those of `sweep`; `name` is shown while it runs.

    Raises:
        InputError: if a store or semantics are wrong; nothing is trained then.
    """
    import joblib

    require_backend(on)
    jobs = jobs or joblib.cpu_count()
    threads = threads or max(1, joblib.cpu_count() // jobs)
    workspace = Workspace(workspace.data_root.absolute(), workspace.cache.absolute())
    stores = {store: find_store(workspace, store) for store in dict.fromkeys(point.store for point in points)}
    found = _finished(workspace, points, stores)
    yield from found.items()
    left = [number for number in range(len(points)) if number not in found]
    plugins = tuple(loaded_plugins())
    tasks = [_Task(workspace, points[n], stores[points[n].store].location, plugins, threads) for n in left]
    with _explained(), ticking(f"{name}, runs", len(left)) as ticker:
        for which, done in spread(_train, tasks, min(jobs, max(1, len(left))), on):
            outcome = _outcome(points[left[which]], done)
            say(f"{outcome.point.label}: {_told(outcome)}")
            ticker.advance()
            yield left[which], outcome


def _finished(
    workspace: Workspace, points: Sequence[Point], stores: dict[str | None, FeatureStore]
) -> dict[int, Outcome]:
    """Outcomes of the points whose runs are in the cache and were evaluated."""
    known: dict[str, Run] = {}
    for run in runs(workspace.runs):
        known.setdefault(sha256_json(run.about["request"]), run)
    found = {}
    for number, point in enumerate(points):
        _, _, request = training_request(workspace, point.head, stores[point.store], **_options(point))
        same = known.get(sha256_json(request))
        evaluation = saved_evaluation(same, _calibration(point)) if same else None
        if evaluation is not None:
            found[number] = Outcome(point, evaluation, found=True)
    return found


def _options(point: Point) -> dict[str, Any]:
    """The arguments of `train_head` and `training_request`."""
    return {
        "semantics": point.semantics,
        "settings": point.settings,
        "selection": point.selection,
        "selection_options": point.rule,
        "seeds": range(point.seeds),
    }


def _calibration(point: Point) -> str:
    return "oracle" if point.selection == "oracle" else "validated"


def _train(task: _Task) -> _Done:
    """Train and evaluate one run, in a worker process; what goes wrong with it comes back as a sentence."""
    started = time.monotonic()
    try:
        with _quiet_threads(task.threads):
            for name in task.plugins:
                load_plugin(name)
            store = open_store(task.store, task.workspace.mirrors)
            run, _ = train_head(task.workspace, task.point.head, store, **_options(task.point), reuse=True)
            evaluate_run(task.workspace, run, True, True, _calibration(task.point))
    except ZslpipeError as problem:
        return _Done(None, str(problem), time.monotonic() - started)
    except Exception as problem:  # a mistake in a head must not stop the others
        told = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        return _Done(None, told, time.monotonic() - started)
    return _Done(run.path, None, time.monotonic() - started)


@contextmanager
def _quiet_threads(count: int) -> Iterator[None]:
    """No warnings, which would come from several processes at a time, and `count` threads for torch and numpy."""
    import threadpoolctl
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpoolctl.threadpool_limits(count), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(before)


def _outcome(point: Point, done: _Done | Exception) -> Outcome:
    if isinstance(done, Exception):
        return Outcome(point, error=f"{done}; with fewer --jobs there is more memory for each run.")
    if done.run is None:
        return Outcome(point, error=done.error, seconds=done.seconds)
    run = Run(done.run)
    evaluation = saved_evaluation(run)
    if evaluation is None:
        return Outcome(point, error=f"{done.run / EVALUATION} cannot be read.", seconds=done.seconds)
    return Outcome(point, evaluation, seconds=done.seconds)


def _told(outcome: Outcome) -> str:
    if outcome.evaluation is None:
        return f"failed: {outcome.error}"
    rows = table_rows([outcome.evaluation])
    H = rows[0].numbers.get("H")
    value = f"H {100 * H.mean:.1f}, " if H is not None and not isinstance(H, float) else ""
    return f"{value}{outcome.seconds:.0f} s, run {outcome.evaluation.run.name}"


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note("finished runs are kept; the same command trains the others.")
        raise
