"""torch's random state, lent to one block of code at a time."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

_turn = threading.RLock()  # torch has one state per process: a thread that seeds it would change another's draws


@contextmanager
def own_random_state(gpus: Sequence[int] = ()) -> Iterator[None]:
    """A block that may seed torch and draw from it; the state of the CPU and of these GPUs is then put back.

    Such blocks of several threads take turns.
    """
    with _turn, torch.random.fork_rng(gpus):
        yield
