"""The selection rules: which images choose hyper-parameters, epochs and the calibration δ."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.splits import validation_splits
from zslpipe.errors import InputError
from zslpipe.evaluation.curve import Curve, best_common_delta, delta_flipping
from zslpipe.evaluation.metrics import top1
from zslpipe.evaluation.protocol import TestScores, score_tests
from zslpipe.evaluation.stacking import rivals
from zslpipe.parts.head import Head
from zslpipe.selection.fitting import hold_out_images, score_held_out
from zslpipe.selection.result import Trial
from zslpipe.selection.selection import SELECTIONS, Measurement, Selection
from zslpipe.store.rows import Features


@SELECTIONS.register("unseen-class")
@dataclass
class UnseenClassValidation(Selection):
    """Class-disjoint folds inside trainval; test images, test labels and their numbers are never used.

    In each fold some seen classes act as unseen ones, and some images of the others are held out, so that H can be
    measured. The best δ of the folds cannot be used as it is: the final problem has other numbers of classes, and the
    refitted head has seen more images, which shifts its margins.

    Args:
        folds: official class lists first, then random ones.
        holdout: share of the seen images held out.
        transfer: "raw": the δ that maximises the mean H of the folds. "quantile": the δ that turns the same share of
            held-out seen images into unseen predictions as the best δ of the folds do, measured with one more head,
            fitted on trainval without some held-out images, against the semantics of the real unseen classes. Without
            unseen classes there is no δ.
    """

    name = "unseen-class"
    folds: int = 3
    holdout: float = 0.2
    transfer: str = "quantile"

    def __post_init__(self) -> None:
        if self.transfer not in ("raw", "quantile"):
            raise InputError(f"transfer must be raw or quantile, not {self.transfer!r}.")
        if not (isinstance(self.folds, int) and self.folds > 0):
            raise InputError(f"folds must be an integer >= 1, not {self.folds!r}.")
        if not (isinstance(self.holdout, float) and 0 < self.holdout < 1):
            raise InputError(f"holdout must be a number between 0 and 1, not {self.holdout!r}.")

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        splits = validation_splits(benchmark, self.folds, self.seed)
        return [_tested(benchmark.fold(split, self.holdout, self.seed)) for split in splits]

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        refit = [hold_out_images(benchmark, self.holdout, self.seed)] if self.transfer == "quantile" else []
        return [*self.problems(benchmark), *refit]

    def score_held_out(self, head: Head, features: Features, benchmark: Benchmark) -> TestScores | None:
        if self.transfer != "quantile":
            return None
        return score_held_out(head, features, benchmark, self.holdout, self.seed)

    def calibrate(
        self, benchmark: Benchmark, trial: Trial, curves: list[Curve], held: TestScores | None
    ) -> dict[str, float]:
        if not len(benchmark.unseen_classes):
            return {}  # nothing to trade seen classes against
        deltas = {"raw": best_common_delta(curves)}
        if held is not None:
            share = float(np.mean([f["flipped"] for f in trial.folds]))
            deltas["quantile"] = delta_flipping(rivals(held.scores, held.seen).margin, share)
        return deltas


@SELECTIONS.register("seen")
@dataclass
class SeenValidation(Selection):
    """Held-out images of seen classes, classified among the seen classes ("S"); cannot calibrate δ."""

    name = "seen"
    criterion: str = "S"
    holdout: float = 0.2

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return [_tested(hold_out_images(benchmark, self.holdout, self.seed))]

    def evaluate_fold(self, fitted: Head, features: Features, fold: Benchmark) -> Measurement:
        tests = score_tests(fitted, features, fold)
        column = np.cumsum(tests.seen) - 1
        return Measurement({"S": top1(tests.scores[:, tests.seen], column[tests.labels]).mean})

    def calibrate(self, *_: Any) -> dict[str, float]:
        return {}


@SELECTIONS.register("oracle")
@dataclass
class OracleTest(Selection):
    """Chooses setting, epoch and δ on the test images, as much published code does: an upper bound, not a result."""

    name = "oracle"

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        if not (len(benchmark.test_seen) and len(benchmark.test_unseen)):
            raise InputError(
                f"{benchmark.name}: the oracle needs test images of seen and of unseen classes: "
                "use --selection unseen-class."
            )
        return [benchmark]

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return []

    def calibrate(self, _: Benchmark, trial: Trial, *__: Any) -> dict[str, float]:
        return {self.name: trial.folds[0]["delta"]}

    def confidence(self, *_: Any) -> None:
        """None: its folds are the test images."""


def _tested(fold: Benchmark) -> Benchmark:
    """The fold, if any seen class has an image held out.

    Raises:
        InputError: if each of them has a single image.
    """
    if not len(fold.test_seen):
        raise InputError(
            f"{fold.name}: validation holds out training images, but the seen classes have only one each: "
            "add images, at least two per seen class beside those for testing."
        )
    return fold
