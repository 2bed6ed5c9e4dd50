"""Which samples form a batch. Epochs follow from (seed, epoch) alone, so that resuming needs no state."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice

import numpy as np


class Sampler(ABC):
    """Batches of sample indices."""

    @abstractmethod
    def __len__(self) -> int:
        """Batches per epoch."""

    @abstractmethod
    def indices(self, number: int) -> Iterator[np.ndarray]:
        """The index arrays of an epoch."""

    def epoch(self, number: int, start: int = 0) -> Iterator[np.ndarray]:
        """The index arrays of an epoch, without the first `start`."""
        return islice(self.indices(number), start, None)


class Shuffled(Sampler):
    """Every sample once per epoch, in random order; the last batch may be smaller."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, batch, seed

    def __len__(self) -> int:
        return -(-self.count // self.batch)

    def indices(self, number: int) -> Iterator[np.ndarray]:
        order = np.random.default_rng([self.seed, number]).permutation(self.count)
        for start in range(0, self.count, self.batch):
            yield order[start : start + self.batch]


class Independent(Sampler):
    """Batches drawn without replacement, independently of each other; several of them in a row make one index array.

    Args:
        count: number of samples.
        batch: samples per draw; all of them if there are fewer.
        seed: determines every epoch.
        steps: index arrays per epoch.
        draws: per index array, for learners that take several steps in one.
    """

    def __init__(self, count: int, batch: int, seed: int, steps: int, draws: int = 1) -> None:
        self.count, self.batch, self.seed, self.steps, self.draws = count, min(batch, count), seed, steps, draws

    def __len__(self) -> int:
        return self.steps

    def indices(self, number: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng([self.seed, number])
        for _ in range(self.steps):
            drawn = [rng.choice(self.count, self.batch, replace=False) for _ in range(self.draws)]
            yield np.concatenate(drawn)


class ByClass(Sampler):
    """Keeps the samples of each class as rows of one padded table."""

    def __init__(self, labels: np.ndarray, seed: int) -> None:
        self.labels, self.seed = np.asarray(labels), seed
        self.classes, self.counts = np.unique(self.labels, return_counts=True)
        self.table = np.zeros((len(self.classes), self.counts.max()), np.int64)
        self.filled = np.arange(self.counts.max()) < self.counts[:, None]
        self.table[self.filled] = np.argsort(self.labels, kind="stable")


class Episodes(ByClass):
    """w-way s-shot episodes: w classes without replacement, s images of each without replacement.

    If there are fewer classes than ways, all are taken; a class with fewer images than shots gives all it has.

    Args:
        labels: (N,) classes of the samples.
        ways, shots: classes per episode and samples per class (the papers' 16 x 2).
        seed: determines every epoch.
        episodes: per epoch; None for as many as it takes to draw N samples.
    """

    def __init__(self, labels: np.ndarray, ways: int, shots: int, seed: int, episodes: int | None = None) -> None:
        super().__init__(labels, seed)
        self.ways, self.shots = min(ways, len(self.classes)), shots
        self.episodes = -(-len(self.labels) // (self.ways * shots)) if episodes is None else episodes

    def __len__(self) -> int:
        return self.episodes

    def indices(self, number: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng([self.seed, number])
        for _ in range(self.episodes):
            rows = rng.permutation(len(self.classes))[: self.ways]
            # Random keys order a class's images; padding sorts behind them all.
            keys = np.where(self.filled[rows], rng.random((len(rows), self.table.shape[1])), 2.0)
            chosen = np.argsort(keys, axis=1)[:, : self.shots]
            yield np.take_along_axis(self.table[rows], chosen, 1)[np.take_along_axis(keys, chosen, 1) < 2.0]


class ClassBalanced(ByClass):
    """Batches in which every class is equally likely: a class, then one of its samples, both with replacement."""

    def __init__(self, labels: np.ndarray, batch: int, seed: int) -> None:
        super().__init__(labels, seed)
        self.batch = batch

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch)

    def indices(self, number: int) -> Iterator[np.ndarray]:
        rng = np.random.default_rng([self.seed, number])
        for _ in range(len(self)):
            rows = rng.integers(len(self.classes), size=self.batch)
            yield self.table[rows, rng.integers(self.counts[rows])]
