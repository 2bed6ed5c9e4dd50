"""Contents of pages, computed with the real metrics from random scores."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.imbalance import ErrorByValue, ErrorSummary
from zslpipe.evaluation.protocol import TestScores, evaluate_scores
from zslpipe.evaluation.results_table import result_rows
from zslpipe.report.content import ClassBar, Confusion, Count, Photo, Photos, RunContent, SeedCurve, SemanticErrors
from zslpipe.selection import SelectionResult, Trial

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
EVIL = '<script>alert("&")</script>'


@pytest.fixture(scope="session")
def make_run() -> Callable[..., RunContent]:
    return sample_run


def sample_run(
    name: str = "demo-remse-20260102-030405",
    classes: int = 20,
    unseen: int = 5,
    attributes: int = 12,
    seeds: int = 2,
    epochs: bool = True,
    skill: float = 3.0,
    evil: bool = False,
) -> RunContent:
    """A run with `classes` classes; the last `unseen` are unseen, and the very last has no test images."""
    rng = np.random.default_rng(classes + int(10 * skill))
    seen = np.arange(classes) < classes - unseen
    names = tuple(f"{n % 7:03d}.Long tailed warbler {n}" for n in range(classes))
    if evil:
        names = (EVIL, *names[1:])
    curves, results = [], []
    for seed in range(seeds):
        labels = np.repeat(np.arange(classes - 1), 20)
        scores = rng.normal(size=(len(labels), classes)) + 1.5 * seen
        scores[np.arange(len(labels)), labels] += skill * rng.uniform(0, 2, size=classes)[labels]
        tests = TestScores(np.arange(len(labels)), labels, seen, scores)
        curve = Curve.of(scores, labels, seen)
        delta = curve.best().delta * 0.8
        results.append(evaluate_scores(tests, names, delta))
        thin = np.unique(np.linspace(0, len(curve.H) - 1, 200).astype(int))
        u, s = curve.unseen_accuracy[thin], curve.seen_accuracy[thin]
        curves.append(SeedCurve(seed, u, s, curve.at(delta), curve.at(0.0), curve.best()))
    shares = rng.dirichlet(np.full(9, 0.3), size=8)
    matrix = rng.gamma(1.0, 0.004, size=(classes - 1, attributes)) * rng.uniform(0.5, 3, size=attributes)
    centre = np.linspace(0.02, 0.3, 8)
    bins = {
        side: ErrorByValue(centre, k * centre**2 + 0.002, k * centre**2, k * centre**2 + 0.01, np.full(8, 9))
        for side, k in (("unseen", 0.3), ("seen", 0.15))
    }
    about = {
        "created": "2026-01-02T03:04:05+00:00",
        "dataset": "demo",
        "head": "remse" if epochs else "eszsl",
        "machine": {"processor": "A processor of some kind @ 2.00GHz", "cores": 2, "accelerator": None},
        "request": {"store": "0123456789abcdef" * 4, "candidates": [{"epochs": 9}], "seeds": list(range(seeds))},
        "seeds": list(range(seeds)),
        "selection": "unseen-class",
        "semantics": EVIL if evil else "att",
        "sources": {"att_splits.mat": "fedcba9876543210" * 4},
        "versions": {"python": "3.11.9", "torch": "2.4.0"},
    }
    return RunContent(
        name=name,
        about=about,
        rows=tuple(result_rows(name, results, "unseen-class, 3 folds, quantile transfer")),
        curves=tuple(curves),
        classes=tuple(ClassBar(c.name, c.seen, c.images, c.accuracy, c.uncalibrated) for c in results[0].classes),
        confusion=Confusion(names[:8], (False,) * 3 + (True,) * 5, shares[:, :8], shares[:, 8], ((*names[:2], 0.41),)),
        errors=SemanticErrors(
            matrix,
            names[:-1],
            seen[:-1],
            tuple(f"has_bill_shape::curved {a}" for a in range(attributes)),
            bins,
            {
                "unseen": ErrorSummary(0.0042, 0.0061, 0.71, 0.33, 0.64),
                "seen": ErrorSummary(0.003, 0.004, 0.5, float("nan"), 0.4),
            },
        ),
        choices={seed: sample_choice(seed, epochs) for seed in range(seeds)},
        losses={s: {"sce": [4 * 0.8**e + s / 9 for e in range(9)], "remse": [0.1] * 9} for s in range(seeds)}
        if epochs
        else {},
        store={"fingerprinted": {"backbone": {"name": "efficientnet_lite0"}}},
        interval="Below each number: 95 % interval over classes.",
        counts={"unseen": Count(80, 40.5), "seen": Count(300, 250.0)},
        photos=sample_photos(names),
        notes=("demo: 2 rows failed; they were skipped.",),
    )


def sample_photos(names: tuple[str, ...]) -> Photos:
    right = tuple(Photo(PIXEL, name, name, n > 1) for n, name in enumerate(names[:4]))
    return Photos(right, tuple(Photo(PIXEL, name, other, True) for name, other in pairwise(names[:9])))


def sample_choice(seed: int = 0, epochs: bool = True) -> SelectionResult:
    """Three folds; a head trained in epochs with two learning rates, or a grid of two penalties with one divergence."""
    rng = np.random.default_rng(seed)
    trials = []
    settings = (
        [{"lr": lr, "epochs": e} for lr in (0.001, 0.01) for e in range(1, 11)]
        if epochs
        else [{}, *({"gamma": 10.0**g, "lambda_": 10.0**p} for g in range(-2, 4) for p in range(-3, 4))]
    )
    for i, setting in enumerate(settings):
        rise = 1 - np.exp(-setting["epochs"] / 3) if epochs else np.cos(i / 9)
        folds = [{"H": float(0.5 * abs(rise) + rng.normal(0, 0.02)), "T1": 0.6} for _ in range(3)]
        value = None if not epochs and i == 5 else float(np.mean([f["H"] for f in folds]))
        trials.append(Trial(setting, value, folds if value is not None else []))
    best = max(trials, key=lambda t: t.value or 0.0)
    return SelectionResult("unseen-class", "H", best.setting, 0.21, "quantile", dict(best.folds[0]), trials, seed, 3)
