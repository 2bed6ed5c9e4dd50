"""A trial of a loaded head on one made-up image, since its files may come from anyone."""

import math
from pathlib import Path

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.parts.head import Head
from zslpipe.parts.problem import Classes
from zslpipe.store.rows import IMAGE

LARGEST_IMAGE = 1 << 27  # numbers in the features of one image
UNKNOWN = 49  # regions where a head of format 1 does not say how many


def rehearse(head: Head, benchmark: Benchmark, folder: Path) -> None:
    """Raise `InputError` unless the head can score an image among the classes of the benchmark."""
    try:
        problem = head.fitted_problem
        if IMAGE in problem.stored:  # reads images, not features
            return
        shapes = {tap: tuple(UNKNOWN if n < 0 else n for n in spec.shape) for tap, spec in problem.stored.items()}
        if max(map(math.prod, shapes.values())) > LARGEST_IMAGE:
            raise ValueError("it reads more features than any image has")
        if problem.attributes != benchmark.semantics.shape[1]:
            raise ValueError(
                f"it was trained with {problem.attributes} semantics per class, and the run has "
                f"{benchmark.semantics.shape[1]}"
            )
        seen = np.isin(np.arange(len(benchmark.class_names)), benchmark.seen_classes)
        features = {tap: np.full((1, *shape), 0.5, np.float32) for tap, shape in shapes.items()}
        scores = head.bind(Classes(benchmark.semantics, seen))(features)
        if scores.shape != (1, len(seen)):
            raise ValueError(f"it gives scores {scores.shape}")
    except ZslpipeError as problem_:
        raise InputError(f"{folder} does not fit its run: {problem_}") from problem_
    except Exception as problem_:  # whatever a head makes of values that it has not written
        reason = (str(problem_).strip().splitlines() or [type(problem_).__name__])[0][:200]
        raise InputError(f"{folder} does not fit its run ({reason}): train it again.") from problem_
