"""Curves of any-shot learning: T1 and H with 0, 1, 2, 5 and 10 photos of every unseen class, on real stores.

    python benchmarks/any_shot.py --data-root DATA --cache CACHE --heads eszsl gfzsl --only CUB50/att

Uses the stores that `real_results.py` makes in CACHE. The settings of a head, δ and the weights of photos are chosen
once, on the validation classes; each of 5 seeds draws other photos of the test_unseen images, which are then no test
images. Both rivals know the same photos and the same whitened features: the nearest class mean (whitened or of unit
length), and logistic regression; for each number of photos the validation classes choose what is best for them (the way
of scaling, and the ridge). Writes benchmarks/results/any_shot-....csv after every head; rows of other datasets and
heads that are there already are kept.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import result_file, write_table
from problems import problems
from readme_table import read_rows

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.metrics import per_class
from zslpipe.evaluation.protocol import classes_of
from zslpipe.evaluation.stacking import rivals
from zslpipe.heads import HEADS, Head
from zslpipe.parts.photos import Photos, Space, residual
from zslpipe.selection.any_shot import SHOTS, Known, choose_mixing, draw_photos, learn_photos
from zslpipe.selection.rules import UnseenClassValidation
from zslpipe.store.rows import Features, take

PROBLEMS = (("CUB50", "att"), ("flo", "att"), ("cub", "att"), ("cub", "sentences"))
SEEDS = 5
RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
SETTINGS: dict[str, dict[str, Any]] = {"remse": {"branch": "global"}}

Name = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # photos (n, r), places (n,), tests -> places


def nearest_mean(photos: np.ndarray, places: np.ndarray, tests: np.ndarray) -> np.ndarray:
    means = np.stack([photos[places == c].mean(0) for c in range(places.max() + 1)])
    nearest: np.ndarray = (2 * tests @ means.T - (means**2).sum(1)).argmax(1)
    return nearest


def logistic(ridge: float) -> Name:
    """Softmax regression on the photos alone; a test compares `residual` with scikit-learn's."""

    def name(photos: np.ndarray, places: np.ndarray, tests: np.ndarray) -> np.ndarray:
        classes = np.arange(places.max() + 1)
        weights = residual(np.zeros((len(photos), len(classes))), photos, places, classes, ridge)
        return np.asarray((tests @ weights.T).argmax(1))

    return name


def unit(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


class Rivals:
    """What knows only the photos: T1 of each way in each fold, and on the test classes."""

    def __init__(self, features: Features, benchmark: Benchmark) -> None:
        self.features, self.benchmark = features, benchmark
        self.folds = UnseenClassValidation().problems(benchmark)
        self.spaces = [Space.of(take(features, b.trainval), b.labels[b.trainval]) for b in (*self.folds, benchmark)]
        self.best = {shots: self._chosen(shots) for shots in SHOTS}

    def _chosen(self, shots: int) -> dict[str, tuple[str, Name]]:
        ways: dict[str, list[tuple[str, Name]]] = {
            "nearest mean": [("whitened", nearest_mean), ("unit", nearest_mean)],
            "logistic regression": [(how, logistic(r)) for how in ("whitened",) for r in RIDGES],
        }
        folds = list(zip(self.folds, self.spaces))
        return {
            rival: max(some, key=lambda way: np.mean([self.t1(way, b, space, shots, 0) for b, space in folds]))
            for rival, some in ways.items()
        }

    def t1(self, way: tuple[str, Name], problem: Benchmark, space: Space, shots: int, seed: int) -> float:
        photos, rest = draw_photos(problem, shots, seed)
        classes = np.unique(problem.labels[photos])
        x = [
            space(take(self.features, r)) if way[0] == "whitened" else unit(self.features["global"][r])
            for r in (photos, rest)
        ]
        found = way[1](x[0], np.searchsorted(classes, problem.labels[photos]), x[1])
        return per_class(classes[found], problem.labels[rest], classes).mean

    def on_tests(self, rival: str, shots: int, seed: int) -> float:
        return self.t1(self.best[shots][rival], self.benchmark, self.spaces[-1], shots, seed)


def curve(name: str, features: Features, benchmark: Benchmark, others: Rivals) -> Iterator[dict[str, Any]]:
    """A row for each number of photos."""
    chosen: Head = HEADS[name](**SETTINGS.get(name, {}))
    choice, head = UnseenClassValidation().select(chosen, features, benchmark)
    mixing = choose_mixing(chosen.with_params(**choice.params), features, benchmark)
    known = Known.of(head, features, benchmark, classes_of(benchmark), choice.delta or 0.0)
    for shots in (0, *SHOTS):
        found: dict[str, list[float]] = {}
        for seed in range(SEEDS):
            photos, rest = draw_photos(benchmark, shots, seed) if shots else (np.empty(0, int), benchmark.test_unseen)
            given = head
            if shots:
                shown = Photos(take(features, photos), benchmark.labels[photos])
                given = learn_photos(known, shown, mixing)
            index = np.concatenate([benchmark.test_seen, rest])
            scores = given.bind(known.classes)(take(features, index))
            of = Curve.of(rivals(scores, known.classes.seen), benchmark.labels[index], known.classes.seen)
            numbers = {"T1": of.T1, "H": of.at(choice.delta or 0.0).H, "oracle H": of.best().H}
            if shots:
                numbers |= {f"{rival} T1": others.on_tests(rival, shots, seed) for rival in others.best[shots]}
            for key, value in numbers.items():
                found.setdefault(key, []).append(value)
        yield {
            "photos": shots,
            **{k: f"{100 * np.mean(v):.1f} ± {100 * np.std(v):.1f}" for k, v in found.items()},
            "verdict": verdict(found),
            "settings": str(choice.params),
            "mixing": f"trust={mixing.trust:g}, ridge={mixing.ridge:g}",
        }


def verdict(found: dict[str, list[float]]) -> str:
    """Mean T1 less that of the better rival, in points; with the standard error of the difference over the seeds."""
    others = [np.array(v) for k, v in found.items() if k.endswith(" T1")]
    if not others:
        return ""
    gain = 100 * (np.array(found["T1"]) - max(others, key=lambda v: float(v.mean())))
    return f"{gain.mean():+.1f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--only", nargs="+", default=[], help="DATASET/SEMANTICS")
    parser.add_argument("--heads", nargs="+", default=["eszsl", "gfzsl"])
    options = parser.parse_args()
    file = result_file("any_shot")
    for dataset, semantics, stored, benchmark in problems(PROBLEMS, options.data_root, options.cache, options.only):
        features = {"global": stored["global"]}
        others = Rivals(features, benchmark)
        for head in options.heads:
            about = {"dataset": dataset, "semantics": semantics, "head": head}
            rows = [{**about, **row} for row in curve(head, features, benchmark, others)]
            print(*rows, sep="\n", flush=True)
            kept = (
                [row for row in read_rows(file) if any(row[k] != v for k, v in about.items())] if file.is_file() else []
            )
            write_table(file, sorted([*kept, *rows], key=order))


def order(row: dict[str, Any]) -> tuple[int, str, int]:
    return PROBLEMS.index((row["dataset"], row["semantics"])), row["head"], int(row["photos"])


if __name__ == "__main__":
    main()
