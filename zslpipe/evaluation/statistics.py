"""Statistics over seeds and classes: means, bootstrap intervals, and paired differences between runs.

A class-averaged accuracy varies for two reasons: another seed gives another head, and other classes would be easier or
harder. The bootstrap resamples both: seeds, then classes (seen and unseen separately).

With three seeds or ten classes a plain bootstrap is overconfident: n draws underestimate the variance by the factor
(n - 1) / n and ignore the uncertainty of that variance. So deviations are scaled by sqrt(n / (n - 1)) and percentiles
by t_{0.975, v} / 1.96, where v are the Welch-Satterthwaite degrees of freedom of a sum of variances V_i, each with
n_i - 1 degrees of freedom: v = (sum V_i)^2 / sum (V_i^2 / (n_i - 1)).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from zslpipe.errors import InputError
from zslpipe.evaluation.metrics import harmonic_mean
from zslpipe.evaluation.protocol import Result

METRICS = ("T1", "U", "S", "H")
RESAMPLES = 4000
LEVEL = 0.95  # of intervals
Tables = Mapping[str, np.ndarray]  # accuracies (seeds, classes) for the keys "zsl", "unseen", "seen"


@dataclass(frozen=True)
class Estimate:
    """A metric over seeds.

    Attributes:
        mean: mean over seeds.
        std: standard deviation over seeds (ddof 1); None for a single seed.
        low, high: 95 % interval over seeds and classes (over classes only for a single seed); None for AUSUC, which is
            not an average over classes.
        seeds: number of seeds.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True)
class Difference:
    """The difference a - b between two runs on the same classes.

    Attributes:
        metric: T1, U, S or H.
        mean, low, high: the difference and its interval.
        more_than_noise: whether the interval excludes 0.
        sentence: the result in words.
        level: of the interval; 0.95 for a single comparison.
    """

    metric: str
    mean: float
    low: float
    high: float
    more_than_noise: bool
    sentence: str
    level: float = LEVEL


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


def estimate(results: Sequence[Result], at: str = "accuracy", seed: int = 0) -> dict[str, Estimate]:
    """T1, U, S, H and AUSUC over the results of several seeds; metrics without test images are omitted.

    Args:
        results: one per seed.
        at: the calibration, see `accuracy_tables`.
        seed: seed of the bootstrap.
    """
    found = estimate_tables(accuracy_tables(results, at), seed)
    areas = [r.AUSUC for r in results if r.AUSUC is not None]
    if areas:
        std = float(np.std(areas, ddof=1)) if len(areas) > 1 else None
        found["AUSUC"] = Estimate(float(np.mean(areas)), std, None, None, len(areas))
    return found


def estimate_tables(accuracies: Tables, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Estimate]:
    """As `estimate`, from per-class accuracies; see `accuracy_tables`."""
    rng = np.random.default_rng(seed)
    seeds = len(accuracies["seen"])
    of_seeds = _weights(rng, seeds, resamples)
    of_classes, classes = _class_weights(rng, accuracies, resamples)
    drawn = _metrics(accuracies, of_seeds, of_classes)
    parts = [(_metrics(accuracies, of_seeds, None), seeds), (_metrics(accuracies, None, of_classes), classes)]
    each = _metrics(accuracies, np.eye(seeds), None)
    estimates = {}
    for metric in METRICS:
        values = each[metric]
        if np.isnan(values).any():
            continue
        low, high = _interval(drawn[metric], [(part[metric], n) for part, n in parts])
        std = float(values.std(ddof=1)) if seeds > 1 else None
        estimates[metric] = Estimate(float(values.mean()), std, max(low, 0.0), min(high, 1.0), seeds)
    return estimates


def compare(
    a: Sequence[Result],
    b: Sequence[Result],
    names: tuple[str, str],
    at: str = "accuracy",
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Difference]:
    """Differences a - b between two runs on the same classes, by metric.

    Classes are resampled jointly (a class that is hard for one head is hard for the other), seeds independently.

    Args:
        a, b: results of the runs, one per seed.
        names: names of the runs, for the sentences.
        at: the calibration, see `accuracy_tables`.
        seed: seed of the bootstrap.
        level: of the intervals.

    Raises:
        InputError: if the runs are for different classes.
    """
    accuracy_tables([a[0], b[0]])  # raises if the classes differ
    return compare_tables(accuracy_tables(a, at), accuracy_tables(b, at), names, seed, level=level)


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
) -> dict[str, Difference]:
    """As `compare`, from per-class accuracies; see `accuracy_tables`."""
    rng = np.random.default_rng(seed)
    of_classes, classes = _class_weights(rng, a, resamples)
    seeds = [len(run["seen"]) for run in (a, b)]
    of_seeds = [_weights(rng, n, resamples) for n in seeds]
    drawn = [_metrics(run, weights, of_classes) for run, weights in zip((a, b), of_seeds)]
    only_seeds = [_metrics(run, weights, None) for run, weights in zip((a, b), of_seeds)]
    only_classes = [_metrics(run, None, of_classes) for run in (a, b)]
    means = [_metrics(run, np.eye(n), None) for run, n in zip((a, b), seeds)]
    found = {}
    for metric in METRICS:
        mean = float(means[0][metric].mean() - means[1][metric].mean())
        if np.isnan(mean):
            continue
        parts = [(part[metric], n) for part, n in zip(only_seeds, seeds)]
        parts.append((only_classes[0][metric] - only_classes[1][metric], classes))
        low, high = _interval(drawn[0][metric] - drawn[1][metric], parts, level)
        low, high = max(low, -1.0), min(high, 1.0)
        sure = low > 0 or high < 0
        sentence = _sentence(metric, names, mean, (low, high, level), sure, min(seeds))
        found[metric] = Difference(metric, mean, low, high, sure, sentence, level)
    return found


def _sentence(
    metric: str, names: tuple[str, str], mean: float, ends: tuple[float, float, float], sure: bool, seeds: int
) -> str:
    low, high, level = ends
    direction = "above" if mean >= 0 else "below"
    interval = f"{100 * level:.3g} % interval {100 * low:+.1f} to {100 * high:+.1f}"
    verdict = "more than noise" if sure else "within noise"
    caveat = "; for a single seed it covers classes only" if seeds == 1 else ""
    difference = f"{abs(100 * mean):.1f} points {direction} {names[1]}"
    return f"{metric} of {names[0]} is {difference} ({interval}{caveat}): {verdict}."


def _weights(rng: np.random.Generator, n: int, resamples: int) -> np.ndarray:
    """(resamples, n) bootstrap weights with mean 1/n, scaled to an unbiased variance of the weighted mean."""
    if n < 2:
        return np.ones((resamples, n))
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    return 1 / n + np.sqrt(n / (n - 1)) * (drawn - 1 / n)


def _class_weights(rng: np.random.Generator, accuracies: Tables, resamples: int) -> tuple[dict[str, np.ndarray], int]:
    """Weights for the classes of each table, and the smaller number of classes, seen or unseen."""
    unseen, seen = (accuracies[k].shape[1] for k in ("unseen", "seen"))
    of_unseen, of_seen = _weights(rng, unseen, resamples), _weights(rng, seen, resamples)
    return {"zsl": of_unseen, "unseen": of_unseen, "seen": of_seen}, min((n for n in (unseen, seen) if n), default=0)


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


def _interval(drawn: np.ndarray, parts: Sequence[tuple[np.ndarray, int]], level: float = LEVEL) -> tuple[float, float]:
    """Interval of bootstrap replicates.

    Args:
        drawn: replicates with all sources of variation.
        parts: replicates with one source of variation each, and its sample size.
        level: share of such intervals that contain the true value.
    """
    variances = [(float(part.var()), n - 1) for part, n in parts if n > 1]
    total = sum(v for v, _ in variances)
    middle = drawn.mean()
    if total <= 0:
        return float(middle), float(middle)
    freedom = total**2 / sum(v**2 / df for v, df in variances)
    end = (1 + level) / 2
    widening = student.ppf(end, freedom) / student.ppf(end, np.inf)
    low, high = middle + widening * (np.quantile(drawn, (1 - end, end)) - middle)
    return float(low), float(high)
