"""Statistics over seeds, classes and folds: means, intervals, and paired differences between runs.

A class-averaged accuracy varies for three reasons: another seed gives another head, other classes would be easier or
harder, and other validation folds would have chosen other settings and another δ. The bootstrap resamples seeds, then
classes (seen and unseen separately). The effect of the folds is a jackknife: with the results at what K folds choose
without one of them, x_k, its variance is (K - 1) / K sum (x_k - mean x)^2, and normal noise of that variance is added.

With three seeds or ten classes a plain bootstrap is overconfident: n draws underestimate the variance by the factor
(n - 1) / n and ignore the uncertainty of that variance. So deviations are scaled by sqrt(n / (n - 1)) and percentiles
by t_{0.975, v} / 1.96, where v are the Welch-Satterthwaite degrees of freedom of a sum of variances V_i, each with
n_i - 1 degrees of freedom: v = (sum V_i)^2 / sum (V_i^2 / (n_i - 1)). Seen and unseen classes are separate terms of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from zslpipe.errors import InputError
from zslpipe.evaluation.metrics import harmonic_mean
from zslpipe.evaluation.protocol import Averages, Result

METRICS = ("T1", "U", "S", "H")
RESAMPLES = 4000
LEVEL = 0.95  # of intervals
POWER = 0.8  # chance to notice a difference that is called visible
Tables = Mapping[str, np.ndarray]  # accuracies (seeds, classes) for the keys "zsl", "unseen", "seen"
Folds = Sequence[Sequence[Averages]]  # for each validation fold, the averages (one per seed) at what the others choose


@dataclass(frozen=True)
class Estimate:
    """A metric over seeds.

    Attributes:
        mean: mean over seeds.
        std: standard deviation over seeds (ddof 1); None for a single seed.
        low, high: 95 % interval over seeds, classes and folds (without seeds for a single one, without folds if their
            effect is unknown); None for AUSUC, which is not an average over classes.
        seeds: number of seeds.
        folds: standard error due to the choice of the validation folds, by a jackknife; None if it is unknown.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    seeds: int
    folds: float | None = None


@dataclass(frozen=True)
class Difference:
    """The difference a - b between two runs on the same classes.

    Attributes:
        metric: T1, U, S or H.
        mean, low, high: the difference and its interval.
        more_than_noise: whether the interval excludes 0.
        sentence: the result in words.
        level: of the interval; 0.95 for a single comparison.
        visible: the smallest true difference that would be called more than noise four times out of five.
    """

    metric: str
    mean: float
    low: float
    high: float
    more_than_noise: bool
    sentence: str
    level: float = LEVEL
    visible: float | None = None


def accuracy_tables(results: Sequence[Result], at: str = "accuracy") -> dict[str, np.ndarray]:
    """Per-class accuracies (seeds, classes): "zsl" and "unseen" of the unseen classes, "seen" of the seen classes.

    Args:
        results: one per seed. Classes without test images are omitted.
        at: the calibration: "accuracy" (the requested one), "uncalibrated" or "oracle".

    Raises:
        InputError: if there are no results, or they are for different classes.
    """
    if not results:
        raise InputError("there are no results to average.")
    first = [(c.name, c.seen, c.images > 0) for c in results[0].classes]
    for r in results[1:]:
        if [(c.name, c.seen, c.images > 0) for c in r.classes] != first:
            raise InputError("results for different classes cannot be averaged; evaluate them on the same benchmark.")

    def table(column: str, seen: bool) -> np.ndarray:
        rows = [[getattr(c, column) for c in r.classes if c.seen == seen and c.images] for r in results]
        return np.array(rows, np.float64).reshape(len(results), -1)

    return {"zsl": table("zsl", False), "unseen": table(at, False), "seen": table(at, True)}


def estimate(
    results: Sequence[Result],
    at: str = "accuracy",
    seed: int = 0,
    without: Folds = (),
) -> dict[str, Estimate]:
    """T1, U, S, H and AUSUC over the results of several seeds; metrics without test images are omitted.

    Args:
        results: one per seed.
        at: the calibration, see `accuracy_tables`.
        seed: seed of the bootstrap.
        without: what would be measured at that calibration without each of the validation folds.
    """
    found = estimate_tables(accuracy_tables(results, at), seed, without=without)
    areas = [r.AUSUC for r in results if r.AUSUC is not None]
    if areas:
        std = float(np.std(areas, ddof=1)) if len(areas) > 1 else None
        left_out = _without(without)
        folds = jackknife(left_out["AUSUC"]) if left_out else None
        found["AUSUC"] = Estimate(float(np.mean(areas)), std, None, None, len(areas), folds)
    return found


def estimate_tables(
    accuracies: Tables, seed: int = 0, resamples: int = RESAMPLES, without: Folds = ()
) -> dict[str, Estimate]:
    """As `estimate`, from per-class accuracies; see `accuracy_tables`."""
    rng = np.random.default_rng(seed)
    seeds = len(accuracies["seen"])
    of_seeds = _weights(rng, seeds, resamples)
    of_classes = _class_weights(rng, accuracies, resamples)
    noise = rng.normal(size=resamples)
    drawn = _metrics(accuracies, of_seeds, of_classes)
    parts = [(_metrics(accuracies, of_seeds, None), seeds)]
    parts += [(_metrics(accuracies, None, only), n) for only, n in _by_side(of_classes)]
    each, left_out = _metrics(accuracies, np.eye(seeds), None), _without(without)
    estimates = {}
    for metric in METRICS:
        values = each[metric]
        if np.isnan(values).any():
            continue
        folds = jackknife(left_out[metric]) if left_out else None
        of_folds = (folds or 0.0) * noise
        found = _interval(drawn[metric] + of_folds, [*((p[metric], n) for p, n in parts), (of_folds, len(without))])
        std = float(values.std(ddof=1)) if seeds > 1 else None
        low, high = max(found.low, 0.0), min(found.high, 1.0)
        estimates[metric] = Estimate(float(values.mean()), std, low, high, seeds, folds)
    return estimates


def compare(
    a: Sequence[Result],
    b: Sequence[Result],
    names: tuple[str, str],
    at: str = "accuracy",
    seed: int = 0,
    level: float = LEVEL,
    without: tuple[Folds, Folds] = ((), ()),
) -> dict[str, Difference]:
    """Differences a - b between two runs on the same classes, by metric.

    Classes are resampled jointly (a class that is hard for one head is hard for the other), seeds independently.
    Two runs with equally many folds have the same ones, which are left out jointly.

    Args:
        a, b: results of the runs, one per seed.
        names: names of the runs, for the sentences.
        at: the calibration, see `accuracy_tables`.
        seed: seed of the bootstrap.
        level: of the intervals.
        without: of each run, see `estimate`.

    Raises:
        InputError: if the runs are for different classes.
    """
    accuracy_tables([a[0], b[0]])  # raises if the classes differ
    tables = accuracy_tables(a, at), accuracy_tables(b, at)
    return compare_tables(*tables, names, seed, level=level, without=without)


def joint_level(comparisons: int) -> float:
    """The level at which so many intervals hold all at once with 95 % (Bonferroni)."""
    return 1 - (1 - LEVEL) / comparisons


def compare_tables(
    a: Tables,
    b: Tables,
    names: tuple[str, str],
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    without: tuple[Folds, Folds] = ((), ()),
) -> dict[str, Difference]:
    """As `compare`, from per-class accuracies; see `accuracy_tables`."""
    rng = np.random.default_rng(seed)
    of_classes = _class_weights(rng, a, resamples)
    sides = _by_side(of_classes)
    seeds = [len(run["seen"]) for run in (a, b)]
    of_seeds = [_weights(rng, n, resamples) for n in seeds]
    drawn = [_metrics(run, weights, of_classes) for run, weights in zip((a, b), of_seeds)]
    only_seeds = [_metrics(run, weights, None) for run, weights in zip((a, b), of_seeds)]
    only_classes = [[_metrics(run, None, only) for run in (a, b)] for only, _ in sides]
    left_out, noise = [_without(run) for run in without], rng.normal(size=resamples)
    means = [_metrics(run, np.eye(n), None) for run, n in zip((a, b), seeds)]
    found = {}
    for metric in METRICS:
        mean = float(means[0][metric].mean() - means[1][metric].mean())
        if np.isnan(mean):
            continue
        parts = [(part[metric], n) for part, n in zip(only_seeds, seeds)]
        parts += [(one[metric] - other[metric], n) for (one, other), (_, n) in zip(only_classes, sides)]
        of_folds = _fold_error([run[metric] for run in left_out if run]) * noise
        parts.append((of_folds, min((len(run) for run in without if run), default=0)))
        spread = _interval(drawn[0][metric] - drawn[1][metric] + of_folds, parts, level)
        low, high = max(spread.low, -1.0), min(spread.high, 1.0)
        sure = low > 0 or high < 0
        caveat = "; for a single seed it covers classes only" if min(seeds) == 1 else ""
        interval = f"{100 * level:.3g} % interval {100 * low:+.1f} to {100 * high:+.1f}{caveat}"
        sentence = _sentence(metric, names, mean, interval, sure, spread.visible)
        found[metric] = Difference(metric, mean, low, high, sure, sentence, level, spread.visible)
    return found


def _fold_error(left_out: Sequence[np.ndarray]) -> float:
    """The standard error of a difference due to the folds: jointly if both runs have as many, else of either alone."""
    if len(left_out) == 2 and len(left_out[0]) == len(left_out[1]):
        return jackknife(left_out[0] - left_out[1])
    return float(np.sqrt(sum(jackknife(values) ** 2 for values in left_out)))


def _sentence(metric: str, names: tuple[str, str], mean: float, interval: str, sure: bool, visible: float) -> str:
    if mean == 0 and visible == 0:
        return f"{metric} of {names[0]} and {names[1]} are equal."
    direction = "above" if mean >= 0 else "below"
    difference = f"{abs(100 * mean):.1f} points {direction} {names[1]}"
    hidden = f"; a difference of less than {100 * visible:.1f} points could hardly be seen" if visible else ""
    if visible > 1:
        hidden = "; with so few classes no difference can be seen"
    verdict = "more than noise" if sure else f"within noise{hidden}"
    return f"{metric} of {names[0]} is {difference} ({interval}): {verdict}."


def _weights(rng: np.random.Generator, n: int, resamples: int) -> np.ndarray:
    """(resamples, n) bootstrap weights with mean 1/n, scaled to an unbiased variance of the weighted mean."""
    if n < 2:
        return np.ones((resamples, n))
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    return 1 / n + np.sqrt(n / (n - 1)) * (drawn - 1 / n)


ClassWeights = Mapping[str, np.ndarray]  # (resamples, classes) for the keys of `Tables`


def _class_weights(rng: np.random.Generator, accuracies: Tables, resamples: int) -> ClassWeights:
    """Weights for the classes of each table; those of "zsl" and "unseen" are the same classes."""
    unseen, seen = (accuracies[k].shape[1] for k in ("unseen", "seen"))
    of_unseen, of_seen = _weights(rng, unseen, resamples), _weights(rng, seen, resamples)
    return {"zsl": of_unseen, "unseen": of_unseen, "seen": of_seen}


def _by_side(weights: ClassWeights) -> list[tuple[ClassWeights, int]]:
    """Weights that vary only for unseen classes, only for seen ones, and the numbers of those classes."""
    equal = {side: np.full_like(w, 1 / max(w.shape[1], 1)) for side, w in weights.items()}
    unseen = {**weights, "seen": equal["seen"]}, weights["unseen"].shape[1]
    seen = {**equal, "seen": weights["seen"]}, weights["seen"].shape[1]
    return [unseen, seen]


def _without(folds: Folds) -> dict[str, np.ndarray]:
    """Each metric (K,), means over seeds, without each of K folds; empty if there are fewer than two."""
    if len(folds) < 2:
        return {}
    return {
        metric: np.array([[getattr(one, metric) for one in seeds] for seeds in folds], np.float64).mean(1)
        for metric in (*METRICS, "AUSUC")
    }


def jackknife(left_out: np.ndarray) -> float:
    """The standard error from the values without each one of K folds: sqrt((K - 1) / K sum (x_k - mean x)^2)."""
    return float(np.sqrt((len(left_out) - 1) * left_out.var()))


def _metrics(
    accuracies: Tables, of_seeds: np.ndarray | None, of_classes: Mapping[str, np.ndarray] | None
) -> dict[str, np.ndarray]:
    """T1, U, S and H (resamples,) for weights of seeds (resamples, seeds) and of classes; None: equal weights."""
    means = {}
    for side, table in accuracies.items():
        if not table.size:
            means[side] = np.array([np.nan])
        elif of_classes is None:
            means[side] = (np.full((1, len(table)), 1 / len(table)) if of_seeds is None else of_seeds) @ table.mean(1)
        else:
            by_class = table.mean(0) if of_seeds is None else of_seeds @ table
            means[side] = (by_class * of_classes[side]).sum(1)
    u, s = means["unseen"], means["seen"]
    return {"T1": means["zsl"], "U": u, "S": s, "H": harmonic_mean(u.clip(0), s.clip(0))}


class _Spread(NamedTuple):
    low: float
    high: float
    visible: float  # a mean this far from 0 leaves the interval without 0 in `POWER` of the cases


def _interval(drawn: np.ndarray, parts: Sequence[tuple[np.ndarray, int]], level: float = LEVEL) -> _Spread:
    """Interval of bootstrap replicates.

    Args:
        drawn: replicates with all sources of variation.
        parts: replicates with one source of variation each, and its sample size.
        level: share of such intervals that contain the true value.
    """
    variances = [(float(part.var()), n - 1) for part, n in parts if n > 1]
    total = sum(v for v, _ in variances)
    middle = float(drawn.mean())
    if total <= 0:
        return _Spread(middle, middle, 0.0)
    freedom = total**2 / sum(v**2 / df for v, df in variances)
    end = (1 + level) / 2
    widening = student.ppf(end, freedom) / student.ppf(end, np.inf)
    low, high = middle + widening * (np.quantile(drawn, (1 - end, end)) - middle)
    visible = np.sqrt(total) * (student.ppf(end, freedom) + student.ppf(POWER, freedom))
    return _Spread(float(low), float(high), float(visible))
