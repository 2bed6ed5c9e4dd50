"""The selection rules: which images choose hyper-parameters, epochs and the calibration δ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.data.splits import validation_splits
from zslpipe.errors import InputError
from zslpipe.evaluation.confidence import spread, times_as_wide
from zslpipe.evaluation.curve import best_common_delta, delta_flipping
from zslpipe.evaluation.expected import Expected, best_expected_delta, loss_from_others
from zslpipe.evaluation.metrics import top1
from zslpipe.evaluation.protocol import TestScores, score_tests
from zslpipe.evaluation.stacking import rivals
from zslpipe.parts.head import Head, Setting
from zslpipe.selection.fitting import hold_out_images, score_held_out
from zslpipe.selection.result import Carried
from zslpipe.selection.selection import SELECTIONS, Measurement, Selection
from zslpipe.store.rows import Features

TRANSFERS = ("matched", "quantile", "raw")
ENOUGH = 24  # held-out classes, in all folds together, to match δ: with three at a time it varies too much
MOST_FOLDS = 8


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
        transfer: how δ is carried over (without unseen classes there is none):
            "raw": its value, the one that maximises the mean H of the folds.
            "quantile": the share of held-out seen images that the best δ of each fold turns into unseen predictions;
            the margins that this is a quantile of come from one more head, fitted on trainval without some held-out
            images, against the semantics of the real unseen classes.
            "matched": the value that is best in folds with as many unseen classes as there really are (see
            `zslpipe.evaluation.expected`), times how much wider the scores of that one more head spread than those of
            the folds. If the folds hold out fewer than 24 classes together, the chosen setting is fitted in more of
            them, eight at most. benchmarks/delta_rules.py compares the rules.
    """

    name = "unseen-class"
    leaves_folds_out = True
    folds: int = 3
    holdout: float = 0.2
    transfer: str = "matched"

    def __post_init__(self) -> None:
        if self.transfer not in TRANSFERS:
            raise InputError(f"transfer must be matched, quantile or raw, not {self.transfer!r}.")
        if not (isinstance(self.folds, int) and self.folds > 0):
            raise InputError(f"folds must be an integer >= 1, not {self.folds!r}.")
        if not (isinstance(self.holdout, float) and 0 < self.holdout < 1):
            raise InputError(f"holdout must be a number between 0 and 1, not {self.holdout!r}.")

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return self._folds(benchmark, validation_splits(benchmark, self.folds, self.seed))

    def more_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        """As many folds as `ENOUGH` held-out classes need, to match δ."""
        if self.transfer == "raw" or not len(benchmark.unseen_classes):
            return []
        splits = validation_splits(benchmark, MOST_FOLDS, self.seed)  # the first ones are those of `problems`
        held_out = np.cumsum([len(split.val) for split in splits])
        needed = 1 + int(np.searchsorted(held_out, min(ENOUGH, len(benchmark.seen_classes))))
        return self._folds(benchmark, splits[self.folds : needed])

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        refit = [] if self.transfer == "raw" else [hold_out_images(benchmark, self.holdout, self.seed)]
        return [*self.problems(benchmark), *self.more_problems(benchmark), *refit]

    def _folds(self, benchmark: Benchmark, splits: Sequence[ClassSplit]) -> list[Benchmark]:
        return [_tested(benchmark.fold(split, self.holdout, self.seed)) for split in splits]

    def evaluate_fold(self, fitted: Head, features: Features, fold: Benchmark, benchmark: Benchmark) -> Measurement:
        others = benchmark.semantics[benchmark.unseen_classes]
        tests = score_tests(fitted, features, fold, others)
        expected = Expected.of(tests, len(others)) if len(others) else None
        unseen = len(fold.unseen_classes)
        return self.measure(tests)._replace(expected=expected, spread=_spread(tests), unseen=unseen)

    def score_held_out(
        self, head: Head, features: Features, benchmark: Benchmark, settings: Mapping[str, Setting]
    ) -> dict[str, TestScores]:
        if self.transfer == "raw":
            return {}
        return score_held_out(head, features, benchmark, self.holdout, self.seed, settings)

    def calibrate(
        self,
        benchmark: Benchmark,
        folds: Sequence[Measurement],
        more: Sequence[Measurement],
        held: TestScores | None,
    ) -> dict[str, float]:
        if not len(benchmark.unseen_classes):
            return {}  # nothing to trade seen classes against
        deltas = {"raw": best_common_delta([fold.curve for fold in folds if fold.curve])}
        if held is not None:
            margins = rivals(held.scores, held.seen).margin
            deltas["quantile"] = delta_flipping(margins, np.mean([fold.numbers["flipped"] for fold in folds]))
            curves = [fold.expected for fold in (*folds, *more) if fold.expected]
            deltas["matched"] = best_expected_delta(curves) * _scale((*folds, *more), held)
        return deltas

    def carried(
        self, benchmark: Benchmark, folds: Sequence[Measurement], more: Sequence[Measurement], held: TestScores | None
    ) -> Carried | None:
        curves = [fold.expected for fold in (*folds, *more) if fold.expected]
        if held is None or not curves:
            return None
        in_folds = float(np.mean([fold.unseen for fold in (*folds, *more)]))
        scale = _scale((*folds, *more), held)
        return Carried(len(benchmark.unseen_classes), in_folds, scale, loss_from_others(curves))


@SELECTIONS.register("seen")
@dataclass
class SeenValidation(Selection):
    """Held-out images of seen classes, classified among the seen classes ("S"); cannot calibrate δ."""

    name = "seen"
    criterion: str = "S"
    holdout: float = 0.2

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return [_tested(hold_out_images(benchmark, self.holdout, self.seed))]

    def evaluate_fold(self, fitted: Head, features: Features, fold: Benchmark, benchmark: Benchmark) -> Measurement:
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

    def calibrate(self, _: Benchmark, folds: Sequence[Measurement], *__: Any) -> dict[str, float]:
        return {self.name: folds[0].numbers["delta"]}

    def confidence(self, *_: Any) -> None:
        """None: its folds are the test images."""


def _spread(tests: TestScores) -> float:
    """The spread of the scores of seen images, over all classes that were scored."""
    others = tests.scores[:, :0] if tests.others is None else tests.others
    return spread(tests.scores, others, rows=np.flatnonzero(tests.seen[tests.labels]))


def _scale(folds: Sequence[Measurement], held: TestScores) -> float:
    """How much wider the scores of held-out seen images spread than in the folds."""
    before = float(np.mean([fold.spread for fold in folds]))
    return times_as_wide(_spread(held), before)


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
