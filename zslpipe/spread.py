"""Independent tasks on the processes of this machine or of a cluster."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, TypeVar, get_args

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extras import need

T = TypeVar("T")
R = TypeVar("R")
Backend = Literal["loky", "dask", "ray"]
NEEDS = {"dask": "distributed", "ray": "ray"}  # libraries of extras


class Lost(Exception):
    """A task whose process was killed."""


def require_backend(on: str) -> None:
    """Raise `InputError` unless the backend is known and its library is installed."""
    if on not in get_args(Backend):
        raise InputError(f"the backend must be one of {', '.join(get_args(Backend))}, not '{on}'.")
    if on in NEEDS:
        need(NEEDS[on], on, f"the backend {on}")


def spread(
    function: Callable[[T], R], tasks: Sequence[T], jobs: int = 1, on: Backend = "loky"
) -> Iterator[tuple[int, R | Exception]]:
    """(number of the task, its result) as they come; the result is `Lost` if its process was killed.

    A killed process takes others with it: tasks that were under way then are tried again, each alone, so that only the
    one that ends its process is lost. What `function` raises is not caught: it should return its errors.

    Args:
        function: at the top level of a module.
        tasks: what it is called with.
        jobs: processes; a single job of `loky` stays in this process.
        on: "loky" for processes of this machine; "dask" and "ray" for the cluster of DASK_SCHEDULER_ADDRESS or
            RAY_ADDRESS, or a local one with `jobs` workers for the length of the call.
    """
    require_backend(on)
    if on == "ray":
        yield from _on_ray(function, tasks, jobs)
        return
    with _backend(on, jobs):
        waiting = list(range(len(tasks)))
        while waiting:
            started: list[int] = []
            try:
                for number, result in _parallel(jobs, function, _noting(tasks, waiting, started)):
                    started.remove(number)
                    waiting.remove(number)
                    yield number, result
            except Exception:
                if not started or (jobs == 1 and on == "loky"):  # nothing was lost, or this process is at fault
                    raise
                for number in started:
                    yield number, _alone(function, tasks[number], number)
                    waiting.remove(number)


def _noting(tasks: Sequence[T], numbers: Sequence[int], started: list[int]) -> Iterator[tuple[int, T]]:
    for number in list(numbers):
        started.append(number)
        yield number, tasks[number]


def _alone(function: Callable[[T], R], task: T, number: int) -> R | Exception:
    try:
        ((_, result),) = _parallel(2, function, iter([(number, task)]))  # 2: one job would stay in this process
    except Exception as again:
        return _lost(again)
    return result


def _parallel(jobs: int, function: Callable[[T], R], tasks: Iterator[tuple[int, T]]) -> Iterator[tuple[int, R]]:
    import joblib

    work = (joblib.delayed(_numbered)(function, number, task) for number, task in tasks)
    results: Iterator[tuple[int, R]] = joblib.Parallel(
        jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )(work)
    return results


def _numbered(function: Callable[[T], R], number: int, task: T) -> tuple[int, R]:
    return number, function(task)


@contextmanager
def _backend(on: Backend, jobs: int) -> Iterator[None]:
    import joblib

    with ExitStack() as stack:
        if on == "dask":
            from distributed import Client

            address = os.environ.get("DASK_SCHEDULER_ADDRESS")
            local = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
            stack.enter_context(Client(address) if address else Client(**local))
        stack.enter_context(joblib.parallel_config(on, n_jobs=jobs))
        yield


def _on_ray(function: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[tuple[int, R | Exception]]:
    """Without joblib, whose backend for Ray returns all results together at the end."""
    import ray

    with ray_session(jobs):
        remote = ray.remote(num_cpus=1, max_retries=1)(function)
        waiting = {remote.remote(task): number for number, task in enumerate(tasks)}
        while waiting:
            (done, *_), _ = ray.wait(list(waiting), num_returns=1)
            number = waiting.pop(done)
            try:
                yield number, ray.get(done)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as problem:
                yield number, _lost(problem)


def _lost(problem: Exception) -> Lost:
    return Lost(f"its process was killed ({' '.join(str(problem).split())[:200] or type(problem).__name__})")


def unwrapped(problem: Exception) -> Exception:
    """What went wrong in a process of Ray: the error of ours that Ray's wraps, or a sentence with the end of Ray's."""
    cause = getattr(problem, "cause", None)
    if isinstance(cause, ZslpipeError):
        return cause
    return ZslpipeError(
        f"a Ray process failed ({' '.join(str(problem).split())[-300:]}): see Ray's logs, then run again."
    )


@contextmanager
def ray_session(cpus: int | None = None) -> Iterator[None]:
    """Ray within the block: the cluster of RAY_ADDRESS, or a local one with `cpus` that ends with the block.

    A session that runs already is used and left running.
    """
    require_backend("ray")
    import ray

    if ray.is_initialized():
        yield
        return
    local: dict[str, Any] = {"num_cpus": cpus, "include_dashboard": False}
    where = {"address": address} if (address := os.environ.get("RAY_ADDRESS")) else local
    ray.init(log_to_driver=False, logging_level="error", **where)
    try:
        yield
    finally:
        ray.shutdown()
