"""Work in several processes: the same functions on the same values, so the numbers are those of one process."""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

from zslpipe.errors import ZslpipeError

T = TypeVar("T")
Warned = tuple[str, type[Warning], str, int]  # text, category, file, line

_entered = ExitStack()  # of a worker, until it ends
_shown: dict[Any, Any] = {}  # warnings of workers that were shown already
_pool: ContextVar[ProcessPoolExecutor | None] = ContextVar("workers", default=None)


@contextmanager
def workers(
    jobs: int, plugins: Sequence[str] = (), within: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Iterator[None]:
    """Within the block `mapped` uses `jobs` processes; one job stays in this process.

    Each process takes as many threads as this one, since the number of threads changes the last digits of sums: set
    OMP_NUM_THREADS for both if there are not enough cores.

    Args:
        jobs: number of processes.
        plugins: what each of them loads.
        within: makes the context that each of them works in.

    Raises:
        ZslpipeError: if a process is killed, as when memory runs out.
    """
    if jobs == 1:
        yield
        return
    others = active_children()
    with ProcessPoolExecutor(jobs, get_context("spawn"), _prepare, (plugins, within)) as pool:
        token = _pool.set(pool)
        try:
            yield
        except BrokenProcessPool as problem:
            raise ZslpipeError(f"a worker process was killed ({problem}): use fewer --jobs.") from problem
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(active_children()).difference(others):
                worker.terminate()  # a signal to this process alone would wait for the end of what they do
            raise
        finally:
            _pool.reset(token)


def mapped(function: Callable[..., T], *arguments: Iterable[Any]) -> Iterator[T]:
    """As `map`; within `workers` in their processes, from which what `function` yields comes back as a list."""
    pool = _pool.get()
    return map(function, *arguments) if pool is None else _warned(pool.map(partial(_call, function), *arguments))


def _call(function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[Warned]]:
    """In a worker: the result, and the warnings, which only the parent shows as they should look."""
    with warnings.catch_warnings(record=True) as found:
        result = function(*arguments)
        result = list(result) if isinstance(result, Iterator) else result
    return result, [(str(w.message), w.category, w.filename, w.lineno) for w in found]


def _warned(results: Iterator[tuple[T, list[Warned]]]) -> Iterator[T]:
    for result, found in results:
        for warning in found:
            warnings.warn_explicit(*warning, registry=_shown)
        yield result


def _prepare(plugins: Sequence[str], within: Callable[[], AbstractContextManager[Any]]) -> None:
    from zslpipe.plugins import load_plugin

    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is answered by the parent alone
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parent has shown them
        for name in plugins:
            load_plugin(name)
    _entered.enter_context(within())


def _end_with_parent() -> None:
    """A worker that outlived its parent would go on writing checkpoints beside a repeated call."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
