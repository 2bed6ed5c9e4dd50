"""Class-disjoint validation folds inside the seen classes."""

import numpy as np

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.errors import InputError

AT_LEAST = 2  # classes on either side of a fold, where there are enough


def validation_splits(benchmark: Benchmark, folds: int = 3, seed: int = 0) -> tuple[ClassSplit, ...]:
    """`folds` folds for selection: the official ones first, then seeded ones until there are enough.

    A seeded fold takes a share U / (S + U) of the seen classes for its validation classes, so that it is as hard
    as the benchmark itself; neighbouring folds take different classes as long as there are any left. No test image
    and no unseen class is ever part of a fold.

    Raises:
        InputError: where there are fewer than two seen classes.
    """
    official = benchmark.class_splits[:folds]
    return (*official, *seeded_splits(benchmark, folds - len(official), seed))


def seeded_splits(benchmark: Benchmark, folds: int, seed: int = 0) -> tuple[ClassSplit, ...]:
    """Folds drawn from the seed alone, as described for `validation_splits`."""
    seen, unseen = benchmark.seen_classes, benchmark.unseen_classes
    if folds > 0 and len(seen) < 2:
        raise InputError(f"{benchmark.name}: a validation fold needs two seen classes, but there is {len(seen)}.")
    share = len(unseen) / (len(seen) + len(unseen))
    low = min(AT_LEAST, len(seen) // 2)
    count = int(np.clip(round(share * len(seen)), low, len(seen) - low)) if len(seen) else 0
    rng = np.random.default_rng(seed)
    queue = np.empty(0, seen.dtype)
    splits = []
    for _ in range(folds):
        if len(queue) < count:  # start another round through the classes, those left over first
            rest = rng.permutation(np.setdiff1d(seen, queue))
            queue = np.concatenate([queue, rest])
        val, queue = queue[:count], queue[count:]
        train = np.setdiff1d(seen, val)
        splits.append(ClassSplit(tuple(train.tolist()), tuple(np.sort(val).tolist())))
    return tuple(splits)
