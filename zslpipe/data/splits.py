"""Class-disjoint validation folds inside the seen classes."""

import numpy as np

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.errors import InputError

MIN_CLASSES = 2  # on either side of a fold, if there are enough


def validation_splits(benchmark: Benchmark, folds: int = 3, seed: int = 0) -> tuple[ClassSplit, ...]:
    """`folds` validation folds: the official ones first, then random ones.

    A random fold holds out a share U / (S + U) of the seen classes (S seen and U unseen classes), the same share as
    in the benchmark. Consecutive folds hold out different classes until all have been used. Folds never contain
    test images or unseen classes.

    Raises:
        InputError: if there are fewer than two seen classes.
    """
    official = benchmark.class_splits[:folds]
    return (*official, *seeded_splits(benchmark, folds - len(official), seed))


def seeded_splits(benchmark: Benchmark, folds: int, seed: int = 0) -> tuple[ClassSplit, ...]:
    """The random folds of `validation_splits`; they depend on the seed only."""
    seen, unseen = benchmark.seen_classes, benchmark.unseen_classes
    if folds > 0 and len(seen) < 2:
        raise InputError(
            f"{benchmark.name}: validation on unseen classes needs at least two seen classes, but there is "
            f"{len(seen)}: add classes with images, or use --selection seen."
        )
    share = len(unseen) / (len(seen) + len(unseen))
    low = min(MIN_CLASSES, len(seen) // 2)
    count = int(np.clip(round(share * len(seen)), low, len(seen) - low)) if len(seen) else 0
    rng = np.random.default_rng(seed)
    queue = np.empty(0, seen.dtype)
    splits = []
    for _ in range(folds):
        if len(queue) < count:  # start another round, with the classes left over first
            rest = rng.permutation(np.setdiff1d(seen, queue))
            queue = np.concatenate([queue, rest])
        val, queue = queue[:count], queue[count:]
        train = np.setdiff1d(seen, val)
        splits.append(ClassSplit(tuple(train.tolist()), tuple(np.sort(val).tolist())))
    return tuple(splits)
