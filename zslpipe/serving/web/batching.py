"""Images of concurrent requests share forward passes."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

Row = dict[str, np.ndarray]  # tap name to (1, ...)
Compute = Callable[[np.ndarray], dict[str, np.ndarray]]  # pixels (B, H, W, 3) to {tap: (B, ...)}


class Busy(Exception):
    """Too many images are waiting."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    pixels: np.ndarray
    features: "Future[Row]" = field(default_factory=Future)


class Batcher:
    """Computes features in a thread of its own: whatever waits when a pass ends goes into the next one.

    A single request does not wait for others; under load, passes fill up.

    Args:
        compute: the forward pass.
        most: images per pass.
        waiting: images that may wait; more are refused.
    """

    def __init__(self, compute: Compute, most: int = 16, waiting: int = 64) -> None:
        self.compute, self.most = compute, most
        self.batches: list[int] = []  # sizes of the last passes
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._work, name="forward", daemon=True)
        self._thread.start()

    def submit(self, pixels: np.ndarray) -> "Future[Row]":
        """The features of an image (H, W, 3), later.

        Raises:
            Busy: if too many images are waiting.
        """
        one = _Waiting(pixels)
        try:
            self._queue.put_nowait(one)
        except queue.Full:
            raise Busy from None
        return one.features

    def close(self) -> None:
        """Finish what waits and stop."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self.batches = [*self.batches[-99:], len(batch)]
            try:
                features = self.compute(np.stack([one.pixels for one in batch]))
                for i, one in enumerate(batch):
                    one.features.set_result({tap: rows[i : i + 1] for tap, rows in features.items()})
            except Exception as problem:
                for one in batch:
                    if not one.features.done():
                        one.features.set_exception(problem)

    def _next(self) -> list[_Waiting] | None:
        """The images that wait, at least one; None at the end. Those that nobody waits for any more are left out."""
        batch: list[_Waiting] = []
        while True:
            try:
                one = self._queue.get(block=not batch)
            except queue.Empty:
                return batch
            if one is None:
                if batch:
                    self._queue.put(None)
                return batch or None
            if one.features.set_running_or_notify_cancel():
                batch.append(one)
            if len(batch) == self.most:
                return batch
