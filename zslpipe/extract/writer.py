"""Writing pieces while the next ones are computed."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType

import numpy as np

from zslpipe.store.failure import Failure

Write = Callable[[int, dict[str, np.ndarray], dict[int, Failure]], None]


class Writer:
    """Calls `write` for each piece in order, in its own thread; at most one piece waits.

    Leaving the block waits until all pieces are written. An exception of `write` is raised by the next `put` or at
    the end of the block, and no later piece is written.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        # A `Queue` whose `put` a signal handler interrupts may never wake the thread again.
        self._queue: SimpleQueue[tuple[int, dict[str, np.ndarray], dict[int, Failure]] | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._room.put(None)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)
        self.waited_s = 0.0  # how long `put` and the end of the block waited for `write`

    def put(self, piece: int, arrays: dict[str, np.ndarray], failures: dict[int, Failure]) -> None:
        if self._error is not None:
            raise self._error
        start = time.perf_counter()
        self._room.get()
        self._queue.put((piece, arrays, failures))
        self.waited_s += time.perf_counter() - start

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._room.put(None)
            if self._error is not None:
                continue  # keep emptying the queue, so that `put` does not block
            try:
                self._write(*item)
            except BaseException as error:
                self._error = error

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        start = time.perf_counter()
        self._queue.put(None)
        self._thread.join()
        self.waited_s += time.perf_counter() - start
        if error is None and self._error is not None:
            raise self._error
