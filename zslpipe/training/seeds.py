"""Seeds that make a training repeatable without touching the random numbers of the caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zslpipe.random_state import own_random_state


class OwnRandom:
    """A random state of torch's of its own: active within a block, after which the caller's is back in place.

    Weights, dropout and everything else that draws from torch depend on the seed alone, and a generator that trains
    between two `yield`s does not disturb the code that consumes it. Trainings in several threads take turns.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        on_gpu = self.device.type == "cuda"
        self._gpus = [self.device.index or 0] if on_gpu else []
        with own_random_state(self._gpus):
            torch.manual_seed(seed)
            self.take()

    def take(self) -> None:
        """Remember torch's current state as this one's (inside `active`)."""
        self.cpu = torch.get_rng_state()
        self.gpu = torch.cuda.get_rng_state(self._gpus[0]) if self._gpus else None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run a block on this state, which advances with it."""
        with own_random_state(self._gpus):
            torch.set_rng_state(self.cpu)
            if self.gpu is not None:
                torch.cuda.set_rng_state(self.gpu, self._gpus[0])
            yield
            self.take()

    def state(self) -> dict[str, torch.Tensor]:
        return {"cpu": self.cpu} | ({} if self.gpu is None else {"gpu": self.gpu})

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        self.cpu = state["cpu"].cpu()
        self.gpu = state["gpu"].cpu() if "gpu" in state and self._gpus else self.gpu
