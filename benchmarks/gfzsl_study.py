"""What the parts of `gfzsl` bring, on real stores: variants, a few photos, combinations, cost.

    python benchmarks/gfzsl_study.py variants photos together cost --data-root DATA --cache CACHE

Uses the stores that `real_results.py` makes in CACHE. Settings and δ are chosen by validation classes; "oracle H" is
the best over δ on the test images. Each suite writes benchmarks/results/gfzsl-SUITE-....csv.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from common import forget_peak, resident, result_file, write_table
from problems import problems
from sklearn.linear_model import LogisticRegression

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.metrics import per_class
from zslpipe.evaluation.protocol import evaluate, score_tests
from zslpipe.evaluation.stacking import rivals
from zslpipe.heads import HEADS, Head
from zslpipe.heads.gfzsl import Gfzsl
from zslpipe.parts.kernel_regression import KernelRegression
from zslpipe.parts.problem import Classes
from zslpipe.parts.scaling import unit_rows
from zslpipe.selection.fitting import fit
from zslpipe.selection.rules import UnseenClassValidation
from zslpipe.store.rows import Features, take

PROBLEMS = (("cub", "att"), ("cub", "sentences"), ("CUB50", "att"), ("flo", "att"))
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "without b and T": {"balanced": False},
    "seen means measured": {"seen_means": "measured"},
    "seen means posterior": {"seen_means": "posterior"},
    "linear kernel": {"kernel": "linear"},
    "covariance per class": {"covariance": "per-class"},
    "raw features": {"unit": False},
    "prior by counts": {"prior": "counts"},
}
SHOTS, DRAWS = (0, 1, 2, 5, 10), 5
ROUNDS = 3  # of timings
SIZES = ((200, 7000, 2048), (200, 7000, 4096), (200, 7000, 8192), (10_000, 60_000, 256))


def results(head: Head, features: Features, benchmark: Benchmark) -> dict[str, Any]:
    """Validated, uncalibrated and oracle numbers of a head with its own search space, in percent."""
    started = time.process_time()
    choice, fitted = UnseenClassValidation().select(head, features, benchmark)
    r = evaluate(fitted, features, benchmark, choice.delta)
    assert r.oracle is not None
    numbers = {"T1": r.T1, "U": r.U, "S": r.S, "H": r.H, "H at δ=0": r.uncalibrated.H, "oracle H": r.oracle.H}
    found: dict[str, Any] = {k: f"{100 * (v or 0):.1f}" for k, v in numbers.items()}
    found |= {"AUSUC": f"{100 * (r.AUSUC or 0):.1f}", "validated H": f"{100 * choice.metrics['H']:.1f}"}
    return {**found, "settings": str(choice.params), "CPU seconds": f"{time.process_time() - started:.0f}"}


def variants(dataset: str, semantics: str, features: Features, benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    """Each option of the head against its default, and other uses of the features."""
    for name, settings in VARIANTS.items():
        yield {"variant": name, **results(Gfzsl(**settings), features, benchmark)}
    regions = features.get("region")
    if regions is not None:
        both = [np.asarray(features["global"]), np.asarray(regions[:]).max(1)]
        yield {"variant": "largest region value", **results(Gfzsl(), {"global": both[1]}, benchmark)}
        side = np.concatenate([unit_rows(x) for x in both], 1)
        yield {"variant": "mean and largest side by side", **results(Gfzsl(), {"global": side}, benchmark)}
    gamma, ridge = most_likely(features, benchmark)

    class Likely(Gfzsl):
        @classmethod
        def search_space(cls) -> list[dict[str, Any]]:
            return [{"gamma": gamma, "lambda_": ridge, "shrinkage": s} for s in (0.3, 1.0, 3.0, 10.0)]

    yield {"variant": "gamma and lambda by marginal likelihood", **results(Likely(), features, benchmark)}


def most_likely(features: Features, benchmark: Benchmark) -> tuple[float, float]:
    """Gamma and lambda that maximise the likelihood of the whitened seen means under the Gaussian process."""
    fitted = fit(Gfzsl(balanced=False), features, benchmark)
    known = fitted.gaussians_
    means = known.scatter.means / np.sqrt(known.scatter.shrunk(3.0))
    best = (-np.inf, 0.0, 0.0)
    for gamma in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2):
        regression = KernelRegression(known.regression.semantics, "rbf", gamma)
        values, vectors = np.linalg.eigh(regression.between(known.regression.semantics))
        for ridge in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0):
            variance = values.clip(0) + ridge
            scale = ((vectors.T @ means) ** 2 / variance[:, None]).mean(0)  # the best for each axis
            likelihood = -0.5 * (len(variance) * np.log(scale).mean() + np.log(variance).sum())
            best = max(best, (float(likelihood), gamma, ridge))
    return best[1], best[2]


def photos(dataset: str, semantics: str, features: Features, benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    """T1 (and H of gfzsl without δ) given a few photos of every unseen class; the photos are not test images."""
    choice, head = UnseenClassValidation().select(Gfzsl(), features, benchmark)
    assert isinstance(head, Gfzsl)
    z, labels, semantic = head.embed(features), benchmark.labels, benchmark.semantics
    unseen = np.setdiff1d(np.arange(len(semantic)), benchmark.seen_classes)
    unseen = unseen[np.isin(unseen, labels[benchmark.test_unseen])]
    for shots in SHOTS:
        found: dict[str, list[float]] = {}
        for draw in range(DRAWS if shots else 1):
            rng = np.random.default_rng(draw)
            chosen = np.concatenate(
                [rng.permutation(benchmark.test_unseen[labels[benchmark.test_unseen] == c])[:shots] for c in unseen]
            ).astype(np.int64)
            test = np.setdiff1d(benchmark.test_unseen, chosen)
            given = copy(head)
            if shots:
                given.partial_fit(take(features, chosen), labels[chosen], semantic)
            everything = np.concatenate([benchmark.test_seen, test])
            seen = np.isin(np.arange(len(semantic)), benchmark.seen_classes)
            scores = given.bind(Classes(semantic, seen))(take(features, everything))
            curve = Curve.of(rivals(scores, seen), labels[everything], seen)
            found.setdefault("gfzsl T1", []).append(curve.T1)
            found.setdefault("gfzsl H, no δ", []).append(curve.at(0.0).H)
            if shots:
                means = np.stack([z[chosen][labels[chosen] == c].mean(0) for c in unseen])
                nearest = unseen[((z[test][:, None] - means[None]) ** 2).sum(-1).argmin(1)]
                found.setdefault("nearest class mean T1", []).append(per_class(nearest, labels[test], unseen).mean)
                regression = LogisticRegression(C=0.01, max_iter=500).fit(z[chosen], labels[chosen])
                predicted = regression.predict(z[test])
                found.setdefault("logistic regression T1", []).append(per_class(predicted, labels[test], unseen).mean)
        yield {
            "photos": shots,
            **{k: f"{100 * np.mean(v):.1f} ± {100 * np.std(v):.1f}" for k, v in found.items()},
            "settings": str(choice.params),
        }


def together(dataset: str, semantics: str, features: Features, benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    """Scores of gfzsl and of remse's global branch, standardised and mixed; the weight is chosen on the folds."""
    rule = UnseenClassValidation()
    heads = {"gfzsl": Gfzsl(), "remse": HEADS["remse"](branch="global")}  # type: ignore[call-arg]
    fixed = {name: head.with_params(**rule.select(head, features, benchmark)[0].params) for name, head in heads.items()}

    def curves(problem: Benchmark) -> dict[float, Curve]:
        tests = {
            name: score_tests(fit(head.with_params(), features, problem), features, problem)
            for name, head in fixed.items()
        }
        flat = {name: t.scores - t.scores.mean(1, keepdims=True) for name, t in tests.items()}
        flat = {name: s / s.std() for name, s in flat.items()}
        t = tests["gfzsl"]
        mixed = {w: w * flat["gfzsl"] + (1 - w) * flat["remse"] for w in (0.0, 0.25, 0.5, 0.75, 1.0)}
        return {w: Curve.of(rivals(s, t.seen), t.labels, t.seen) for w, s in mixed.items()}

    in_folds = [curves(fold) for fold in rule.problems(benchmark)]
    on_test = curves(benchmark)
    best = max(on_test, key=lambda w: np.mean([fold[w].best().H for fold in in_folds]))
    for w, curve in on_test.items():
        validated = np.mean([fold[w].best().H for fold in in_folds])
        row = {"weight of gfzsl": w, "chosen": "yes" if w == best else "", "validated H": f"{100 * validated:.1f}"}
        yield {**row, "T1": f"{100 * curve.T1:.1f}", "oracle H": f"{100 * curve.best().H:.1f}"}


def cost(dataset: str, semantics: str, features: Features, benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    """Processor time of selection against ESZSL's in the same process, alternating; then sizes, on made-up features."""
    seconds: dict[str, list[float]] = {"eszsl": [], "gfzsl": []}
    for _ in range(ROUNDS):
        for name, times in seconds.items():
            started = time.process_time()
            UnseenClassValidation().select(HEADS[name](), features, benchmark)
            times.append(time.process_time() - started)
    median = {name: float(np.median(times)) for name, times in seconds.items()}
    ratio = f"{median['gfzsl'] / median['eszsl']:.1f}"
    tried = {name: len(HEADS[name].search_space()) for name in seconds}
    what = f"selection on 3 folds, {tried['gfzsl']} settings against {tried['eszsl']}, CPU s"
    yield {"what": what, **{n: f"{s:.1f}" for n, s in median.items()}, "ratio": ratio}
    if (dataset, semantics) == PROBLEMS[0]:
        for classes, images, width in SIZES:
            yield made_up(classes, images, width)


def made_up(classes: int, images: int, width: int) -> dict[str, Any]:
    """Processor time of one fit and of scoring 1000 images, and the memory that they need beside the features."""
    rng = np.random.default_rng(0)
    seen = classes * 3 // 4
    labels = np.concatenate([np.arange(seen), rng.integers(0, seen, images - seen)])
    semantics = rng.uniform(size=(classes, 64)).astype(np.float32)
    rows = (semantics @ rng.normal(size=(64, width)).astype(np.float32))[labels]
    rows += rng.standard_normal(rows.shape, np.float32)
    forget_peak()
    before, started = resident("VmRSS"), time.process_time()
    head = Gfzsl().fit({"global": rows}, labels, semantics)
    fitted = time.process_time()
    head.predict({"global": rows[:1000]}, semantics)
    scored = time.process_time()
    return {
        "what": f"fit: {classes} classes, {images} images of width {width}, CPU s",
        "gfzsl": f"{fitted - started:.1f}",
        "1000 images scored, CPU s": f"{scored - fitted:.2f}",
        "MiB beside the features": f"{resident('VmHWM') - before:.0f}",
    }


SUITES: dict[str, Callable[[str, str, Features, Benchmark], Iterator[dict[str, Any]]]] = {
    "variants": variants,
    "photos": photos,
    "together": together,
    "cost": cost,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", choices=SUITES)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument(
        "--problems", nargs="*", default=[], choices=["/".join(p) for p in PROBLEMS], help="default: all"
    )
    options = parser.parse_args()
    for suite in options.suites:
        rows = []
        for dataset, semantics, features, benchmark in problems(
            PROBLEMS, options.data_root, options.cache, options.problems
        ):
            for row in SUITES[suite](dataset, semantics, features, benchmark):
                rows.append({"dataset": dataset, "semantics": semantics, **row})
                print(rows[-1], flush=True)
        write_table(result_file(f"gfzsl-{suite}"), rows)


if __name__ == "__main__":
    main()
