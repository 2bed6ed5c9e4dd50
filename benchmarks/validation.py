"""What grids on validation classes have in common: heads trained in class-disjoint folds of the training images."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from common import RESULTS

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.splits import validation_splits
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.protocol import score_tests
from zslpipe.parts.head import Head
from zslpipe.selection.fitting import fit_candidates
from zslpipe.store.rows import Features


def grid_parser(about: str | None, *, epochs: int, folds: int = 3) -> argparse.ArgumentParser:
    """The options that all grids have."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--folds", type=int, default=folds)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


def folds_of(benchmark: Benchmark, count: int) -> list[Benchmark]:
    """The folds; their test images are training images of the benchmark."""
    return [benchmark.fold(split) for split in validation_splits(benchmark, count)]


def by_epoch(head: Head, features: Features, fold: Benchmark, epochs: int, every: int) -> Iterator[tuple[int, Head]]:
    """The head after every `every` epochs of a training; each is only valid until the next one is requested."""
    for stopped, fitted in fit_candidates(head, features, fold, [{"epochs": epochs}]):
        if stopped["epochs"] % every == 0:
            yield stopped["epochs"], fitted


def measured(head: Head, features: Features, fold: Benchmark) -> dict[str, float]:
    """T1, the best H over δ, AUSUC and H at δ = 0 of a fitted head on a fold's held-out images, in percent."""
    tests = score_tests(head, features, fold)
    curve = Curve.of(tests.scores, tests.labels, tests.seen)
    found = {"T1": curve.T1, "H": curve.best().H, "AUSUC": curve.ausuc(), "H at δ=0": curve.at(0.0).H}
    return {name: 100 * value for name, value in found.items()}


def means(found: Sequence[Mapping[str, float]], digits: int = 1) -> dict[str, str]:
    """The means of numbers with the same names, as text."""
    return {name: f"{np.mean([one[name] for one in found]):.{digits}f}" for name in found[0]}
