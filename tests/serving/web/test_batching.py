"""Images that wait together share a pass."""

import threading

import numpy as np
import pytest

from zslpipe.serving.web.batching import Batcher, Busy


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


class Slow:
    """A pass that does not end before it is let go."""

    def __init__(self) -> None:
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        self.started.set()
        assert self.go.wait(10)
        return {"global": pixels[:, 0, 0, :1].astype(np.float32)}


def test_what_waits_goes_into_the_next_pass() -> None:
    slow = Slow()
    batcher = Batcher(slow, most=4, waiting=10)
    first = batcher.submit(image(0))
    assert slow.started.wait(10)
    rest = [batcher.submit(image(i)) for i in range(1, 7)]
    slow.go.set()
    values = [future.result(10)["global"] for future in [first, *rest]]
    assert [value.shape for value in values] == [(1, 1)] * 7
    assert [float(value[0, 0]) for value in values] == list(range(7))
    assert batcher.batches == [1, 4, 2]
    batcher.close()


def test_too_many_are_refused_and_those_that_wait_are_answered() -> None:
    slow = Slow()
    batcher = Batcher(slow, most=4, waiting=2)
    first = batcher.submit(image(0))
    assert slow.started.wait(10)
    waiting = [batcher.submit(image(i)) for i in (1, 2)]
    with pytest.raises(Busy):
        batcher.submit(image(3))
    slow.go.set()
    assert [float(one.result(10)["global"][0, 0]) for one in (first, *waiting)] == [0, 1, 2]
    batcher.close()


def test_a_failing_pass_fails_its_images_only() -> None:
    def compute(pixels: np.ndarray) -> dict[str, np.ndarray]:
        if pixels.max() > 100:
            raise RuntimeError("no")
        return {"global": pixels[:, 0, 0, :1]}

    batcher = Batcher(compute)
    with pytest.raises(RuntimeError, match="no"):
        batcher.submit(image(200)).result(10)
    assert batcher.submit(image(7)).result(10)["global"] == 7
    batcher.close()


def test_cancelled_images_are_left_out() -> None:
    slow = Slow()
    batcher = Batcher(slow)
    first = batcher.submit(image(0))
    assert slow.started.wait(10)
    gone, kept = batcher.submit(image(1)), batcher.submit(image(2))
    assert gone.cancel()
    slow.go.set()
    assert first.result(10)["global"] == 0
    assert kept.result(10)["global"] == 2
    assert batcher.batches == [1, 1]
    batcher.close()
