"""Which rule carries δ over best: a nested test inside the training images, on stores cut to problems of many shapes.

    python benchmarks/delta_rules.py collect SCORES NAME=STORE... [--heads eszsl gfzsl remse] [--draws 2]
    python benchmarks/delta_rules.py table SCORES

A problem of shape (S, U) is drawn from the training classes of a store: S act as seen and U as unseen ones; no test
image of the store is read. `collect` trains heads in the folds of each problem and on its training images, and keeps
the scores in SCORES; `table` lets every rule choose δ from what it may see and compares H with the best δ on the
problem's own test images. Rules are compared by mean and worst loss in points of H.
"""

import argparse
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, write_table

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.data.semantics import load_semantics
from zslpipe.data.splits import seeded_splits
from zslpipe.evaluation.confidence import spread
from zslpipe.evaluation.curve import Curve, best_common_delta, delta_flipping, share_flipped
from zslpipe.evaluation.expected import Expected, best_expected_delta, loss_from_others
from zslpipe.evaluation.protocol import TestScores, score_tests
from zslpipe.evaluation.stacking import rivals
from zslpipe.files import write_arrays
from zslpipe.heads import HEADS, Head
from zslpipe.parts.problem import Classes
from zslpipe.selection.fitting import fit, fit_candidates, hold_out_images
from zslpipe.selection.rules import ENOUGH, MOST_FOLDS
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.rows import Features, take

SHAPES = {  # store and semantics: numbers of seen and unseen classes
    ("CUB", "att"): ((100, 50), (130, 20), (100, 10), (60, 30), (50, 50), (30, 10), (23, 4), (50, 4), (100, 4)),
    ("CUB", "sentences"): ((100, 50), (120, 20), (50, 10), (23, 4), (60, 4)),
    ("CUB50", "att"): ((30, 10), (34, 6), (23, 4), (20, 10), (12, 4)),
    ("FLO", "att"): ((62, 20), (50, 10), (40, 40), (23, 4), (60, 4)),
}
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {  # of heads that would take long to choose them
    "gfzsl": ({},),
    "remse": ({"branch": "global", "epochs": 12},),
}
HOLDOUT = 0.2
FOLDS = 3  # that choose the settings


def problem_of(benchmark: Benchmark, seen: int, unseen: int, seed: int) -> Benchmark:
    """A problem with so many classes drawn from the training classes, with 20 % of the seen images for testing."""
    drawn = np.random.default_rng(seed).permutation(benchmark.seen_classes)[: seen + unseen].tolist()
    return benchmark.fold(ClassSplit(tuple(drawn[:seen]), tuple(drawn[seen:])), HOLDOUT, seed)


def collect(head: Head, features: Features, problem: Benchmark, settings: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Scores of the chosen setting in every fold, of held-out seen images, and of the problem's test images.

    In a fold the columns are its classes, then the problem's unseen classes.
    """
    described = problem.semantics[problem.unseen_classes]
    count = len(seeded_splits(problem, 1)[0].val)
    folds = [
        problem.fold(split, HOLDOUT)
        for split in seeded_splits(problem, min(MOST_FOLDS, max(3, -(-len(problem.seen_classes) // count))))
    ]
    values: dict[str, list[float]] = {}
    tried = {}
    if len(settings) > 1:
        for fold in folds[:3]:
            for setting, fitted in fit_candidates(head, features, fold, settings):
                tests = score_tests(fitted, features, fold)
                h = Curve.of(tests.scores, tests.labels, tests.seen).best().H
                values.setdefault(repr(setting), []).append(h)
                tried[repr(setting)] = setting
        head = head.with_params(**tried[max(values, key=lambda key: np.mean(values[key]))])
    else:
        head = head.with_params(**settings[0])
    found: dict[str, Any] = {"folds": np.array(len(folds))}
    for i, fold in enumerate(folds):
        fitted = fit(head.with_params(), features, fold)
        index = np.concatenate([fold.test_seen, fold.test_unseen])
        seen = np.isin(np.arange(len(fold.class_names)), fold.seen_classes)
        classes = Classes(
            np.concatenate([fold.semantics, described]), np.concatenate([seen, np.zeros(len(described), bool)])
        )
        found[f"fold{i}_scores"] = fitted.bind(classes)(take(features, index))
        found[f"fold{i}_labels"], found[f"fold{i}_seen"] = fold.labels[index], classes.seen
        found[f"fold{i}_classes"] = np.array(len(seen))
    part = hold_out_images(problem, HOLDOUT, 0)
    for name, of in (("held", part), ("test", problem)):
        tests = score_tests(fit(head.with_params(), features, of), features, of)
        found |= {f"{name}_scores": tests.scores, f"{name}_labels": tests.labels, f"{name}_seen": tests.seen}
    return found


def collect_all(folder: Path, stores: dict[str, Path], heads: list[str], draws: int, data_root: Path) -> None:
    for draw in range(draws):
        for (name, semantics), shapes in SHAPES.items():
            if name not in stores:
                continue
            store = FeatureStore.open(stores[name])
            benchmark = load_semantics(store.benchmark, semantics, data_root)
            rows = np.asarray(store.features()["global"][:], np.float32)
            for seen, unseen in shapes:
                for head in heads:
                    file = folder / f"{name}-{semantics}-{seen}-{unseen}-{draw}-{head}.npz"
                    if file.exists():
                        continue
                    seed = zlib.crc32(f"{name} {semantics} {seen} {unseen} {draw}".encode())
                    problem = problem_of(benchmark, seen, unseen, seed)
                    settings = SETTINGS.get(head, tuple(HEADS[head].search_space()))
                    write_arrays(file, **collect(HEADS[head](), {"global": rows}, problem, settings))
                    print(file.name, flush=True)


def rules(kept: Mapping[str, np.ndarray]) -> dict[str, float]:
    """δ by every rule, from what selection sees: the folds and held-out seen images."""
    unseen = int((~kept["test_seen"]).sum())
    folds = [fold_tests(kept, i) for i in range(int(kept["folds"]))]
    held = TestScores(np.arange(len(kept["held_labels"])), kept["held_labels"], kept["held_seen"], kept["held_scores"])
    margins = rivals(held.scores, held.seen).margin
    plain = [Curve.of(tests.scores, tests.labels, tests.seen) for tests in folds[:FOLDS]]
    flipped = [
        share_flipped(rivals(tests.scores, tests.seen).margin[tests.seen[tests.labels]], curve.best().delta)
        for tests, curve in zip(folds, plain)
    ]
    held_out = np.cumsum([(~tests.seen).sum() for tests in folds])
    used = folds[: max(FOLDS, 1 + int(np.searchsorted(held_out, ENOUGH)))]
    curves = [Expected.of(tests, unseen) for tests in used]
    best = best_expected_delta(curves)
    scale = spread_of(held) / np.mean([spread_of(tests) for tests in used])
    few = best_expected_delta(curves[:FOLDS]) * spread_of(held) / np.mean([spread_of(tests) for tests in used[:FOLDS]])
    return {
        "value": best_common_delta(plain),
        "flipped share": delta_flipping(margins, np.mean(flipped)),
        "value, matched": best,
        "flipped share, matched": delta_flipping(margins, np.mean([curve.flipped_at(best) for curve in curves])),
        "scaled value, matched, 3 folds": few,
        "scaled value, matched": best * scale,
    }


def fold_tests(kept: Mapping[str, np.ndarray], i: int) -> TestScores:
    count, labels = int(kept[f"fold{i}_classes"]), kept[f"fold{i}_labels"]
    scores, seen = kept[f"fold{i}_scores"], kept[f"fold{i}_seen"][:count]
    return TestScores(np.arange(len(labels)), labels, seen, scores[:, :count], None, scores[:, count:])


def losses(file: Path) -> tuple[dict[str, float], float]:
    """Points of H below the best δ on the test images by every rule, and by a fold with the δ of the others."""
    with np.load(file) as kept:
        curve = Curve.of(kept["test_scores"], kept["test_labels"], kept["test_seen"])
        unseen = int((~kept["test_seen"]).sum())
        curves = [Expected.of(fold_tests(kept, i), unseen) for i in range(int(kept["folds"]))]
        most = curve.best().H
        found = {rule: 100 * (most - curve.at(delta).H) for rule, delta in rules(kept).items()}
    return found, 100 * loss_from_others(curves)


def table(folder: Path) -> list[dict[str, Any]]:
    """A row per rule and group of problems: all of them, by the number of unseen classes, by store and by head."""
    found = {file.stem: losses(file) for file in sorted(folder.glob("*.npz"))}
    parts = {name: name.split("-") for name in found}
    groups = {"all": list(found)}
    groups["10 unseen classes or more"] = [name for name, part in parts.items() if int(part[3]) >= 10]
    groups["4 or 6 unseen classes"] = [name for name, part in parts.items() if int(part[3]) < 10]
    for store, semantics in SHAPES:
        groups[f"{store}, {semantics}"] = [name for name, part in parts.items() if part[:2] == [store, semantics]]
    for head in sorted({part[5] for part in parts.values()}):
        groups[head] = [name for name, part in parts.items() if part[5] == head]
    rows = []
    for group, names in groups.items():
        if not names:
            continue
        own = np.mean([found[name][1] for name in names])
        for rule in found[names[0]][0]:
            lost = np.array([found[name][0][rule] for name in names])
            rows.append(
                {
                    "problems": group,
                    "number": len(names),
                    "rule": rule,
                    "mean loss": f"{lost.mean():.2f}",
                    "95 % lose at most": f"{np.quantile(lost, 0.95):.2f}",
                    "worst loss": f"{lost.max():.2f}",
                    "a fold with the δ of the others": f"{own:.2f}",
                }
            )
    return rows


def spread_of(tests: TestScores) -> float:
    others = tests.scores[:, :0] if tests.others is None else tests.others
    return spread(tests.scores, others, rows=np.flatnonzero(tests.seen[tests.labels]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("collect", "table"))
    parser.add_argument("scores", type=Path)
    parser.add_argument("stores", nargs="*", metavar="NAME=STORE")
    parser.add_argument("--heads", nargs="+", default=["eszsl"])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--data-root", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    if options.what == "collect":
        stores = {name: Path(path) for name, path in (pair.split("=", 1) for pair in options.stores)}
        collect_all(options.scores, stores, options.heads, options.draws, options.data_root)
    else:
        write_table(RESULTS / f"delta_rules-torch{torch.__version__.split('+')[0]}.csv", table(options.scores))


if __name__ == "__main__":
    main()
