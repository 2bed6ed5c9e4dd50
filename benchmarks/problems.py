"""Real problems for benchmarks that compute in one process: stores of a cache, with semantics."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.semantics import load_semantics
from zslpipe.store.catalog import stores
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.rows import Features

Problem = tuple[str, str]  # dataset and semantics


def problems(
    every: Sequence[Problem], data_root: Path, cache: Path, only: Sequence[str] = ()
) -> Iterator[tuple[str, str, Features, Benchmark]]:
    """Dataset, semantics, features (the global ones in memory) and benchmark.

    Args:
        every: the problems of a benchmark.
        data_root, cache: where semantics and stores are.
        only: those that are wanted, as DATASET/SEMANTICS; empty for all.
    """
    for dataset, semantics in every:
        if only and f"{dataset}/{semantics}" not in only:
            continue
        store = next(FeatureStore.open(s.path) for s in stores(cache) if s.dataset.lower() == dataset.lower())
        benchmark = load_semantics(store.benchmark, semantics, data_root)
        features = store.features()
        yield dataset, semantics, {**features, "global": np.asarray(features["global"][:])}, benchmark
