"""Who chooses hyper-parameters, epochs and the calibration δ, and from which images: the leak is in the name."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from zslpipe.data.benchmark import Benchmark, split_images
from zslpipe.data.splits import validation_splits
from zslpipe.errors import InputError
from zslpipe.evaluation.curve import Curve, best_common_delta, delta_flipping, share_flipped
from zslpipe.evaluation.metrics import per_class, top1
from zslpipe.evaluation.protocol import TestScores, score_tests, seen_mask
from zslpipe.evaluation.stacking import ScoresError, rivals
from zslpipe.parts.head import Attributes, Head
from zslpipe.progress import ticking
from zslpipe.registry import Registry, unknown
from zslpipe.selection.result import SelectionResult, Trial
from zslpipe.store.derived import admissible
from zslpipe.store.rows import Features, take

Setting = Mapping[str, Any]
Measured = tuple[dict[str, float], Curve | None]

SELECTIONS: Registry[type["Selection"]] = Registry("selection rule")


@dataclass
class Selection(ABC):
    """A rule that picks a setting of a head, refits it on all of trainval and says which δ to use.

    Args:
        criterion: what to maximise: "H" (the best that any δ reaches), "AUSUC" or "T1".
        seed: of folds and held-out images.
    """

    name: ClassVar[str]
    criterion: str = "H"
    seed: int = 0

    def select(
        self,
        head: Head,
        features: Features,
        benchmark: Benchmark,
        candidates: Sequence[Setting] | None = None,
        usable: np.ndarray | None = None,
    ) -> tuple[SelectionResult, Head]:
        """Try `candidates` (the head's own search space where None) and return the choice and the refitted head.

        `usable` (N,) bool keeps images whose features failed away from the head. A setting whose scores are not
        finite in one of the folds is out; where several are equally good, the first is taken.

        Raises:
            InputError: for a criterion that this rule does not know.
            ScoresError: where no setting gives finite scores.
        """
        if usable is not None:
            benchmark = benchmark.keep(usable)
        candidates = list(candidates or head.search_space())
        folds = self.problems(benchmark)
        settings: dict[str, Setting] = {}
        measured: dict[str, list[Measured | None]] = {}
        with ticking(f"choosing settings of {head.name}, folds", len(folds)) as ticker:
            for fold in folds:
                for setting, fitted in fit_candidates(head, features, fold, candidates):
                    key = json.dumps(setting, sort_keys=True, default=str)
                    settings.setdefault(key, setting)
                    try:
                        measured.setdefault(key, []).append(self.evaluate_fold(fitted, features, fold))
                    except ScoresError:
                        measured.setdefault(key, []).append(None)
                    ticker.advance(0, note=key)
                ticker.advance()
        trials = [self._trial(settings[key], measured[key], len(folds)) for key in settings]
        values = [-np.inf if t.value is None else t.value for t in trials]
        if np.isneginf(values).all():
            raise ScoresError(f"{head.name} gave no finite scores with any of {len(trials)} settings: try milder ones.")
        best = trials[int(np.argmax(values))]
        curves = [m[1] for m in list(measured.values())[trials.index(best)] if m is not None and m[1] is not None]
        chosen = head.with_params(**best.setting)
        deltas = self.calibrate(chosen, features, benchmark, best, curves)
        transfer = getattr(self, "transfer", None)
        choice = SelectionResult(
            rule=self.name,
            criterion=self.criterion,
            params=dict(best.setting),
            delta=deltas.get(transfer or self.name),
            deltas=deltas,
            transfer=transfer,
            metrics={k: float(np.mean([f[k] for f in best.folds])) for k in best.folds[0]},
            trials=trials,
            seed=self.seed,
            folds=len(folds),
        )
        return choice, fit(chosen, features, benchmark)

    @abstractmethod
    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        """The problems in which settings are tried: fitted on trainval, measured on the test sets."""

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        """All problems on which heads are fitted before the last fit, which is on the benchmark itself."""
        return self.problems(benchmark)

    def evaluate_fold(self, fitted: Head, features: Features, fold: Benchmark) -> Measured:
        """What `Trial.folds` holds for one fold, and the curve it comes from."""
        tests = score_tests(fitted, features, fold)
        both = rivals(tests.scores, tests.seen)
        curve = Curve.of(both, tests.labels, tests.seen)
        best = curve.best()
        flipped = share_flipped(both.margin[tests.seen[tests.labels]], best.delta)
        return {**best._asdict(), "T1": t1_of(tests, curve), "AUSUC": curve.ausuc(), "flipped": flipped}, curve

    @abstractmethod
    def calibrate(
        self, head: Head, features: Features, benchmark: Benchmark, trial: Trial, curves: list[Curve]
    ) -> dict[str, float]:
        """δ for `head` once it is refitted on all of trainval, by the name of how it was found; one of them is used."""

    def _trial(self, setting: Setting, folds: list[Measured | None], expected: int) -> Trial:
        done = [m[0] for m in folds if m is not None]
        if done and self.criterion not in done[0]:
            raise InputError(f"{self.name} does not know the criterion '{self.criterion}': use {' or '.join(done[0])}.")
        whole = len(done) == expected
        return Trial(dict(setting), float(np.mean([f[self.criterion] for f in done])) if whole else None, done)


@SELECTIONS.register("unseen-class")
@dataclass
class UnseenClassValidation(Selection):
    """Class-disjoint folds inside trainval; no test image, test label or test count is looked at.

    In each fold some seen classes play unseen, and of the others some images are held out, so that both sides of
    H exist. The best δ of the folds cannot simply be used: the real problem has other numbers of classes, and
    the refitted head has seen more images, which shifts its margins.

    Args:
        folds: official class lists first, then seeded ones.
        holdout: share of the seen images held out.
        transfer: "raw": the δ that maximises the folds' mean H. "quantile": the δ that flips the same share of
            held-out seen images as the folds' best δ do, measured with one further head fitted on trainval
            without a held-out slice, against the semantics of the real unseen classes.
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
        return [benchmark.fold(split, self.holdout, self.seed) for split in splits]

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        refit = [without_slice(benchmark, self.holdout, self.seed)] if self.transfer == "quantile" else []
        return [*self.problems(benchmark), *refit]

    def calibrate(
        self, head: Head, features: Features, benchmark: Benchmark, trial: Trial, curves: list[Curve]
    ) -> dict[str, float]:
        deltas = {"raw": best_common_delta(curves)}
        if self.transfer == "quantile":
            share = float(np.mean([f["flipped"] for f in trial.folds]))
            margins = held_out_margins(head, features, benchmark, self.holdout, self.seed)
            deltas["quantile"] = delta_flipping(margins, share)
        return deltas


@SELECTIONS.register("seen")
@dataclass
class SeenValidation(Selection):
    """Held-out images of seen classes only, judged among the seen classes ("S"): cannot calibrate δ."""

    name = "seen"
    criterion: str = "S"
    holdout: float = 0.2

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return [without_slice(benchmark, self.holdout, self.seed)]

    def evaluate_fold(self, fitted: Head, features: Features, fold: Benchmark) -> Measured:
        tests = score_tests(fitted, features, fold)
        column = np.cumsum(tests.seen) - 1
        return {"S": top1(tests.scores[:, tests.seen], column[tests.labels]).mean}, None

    def calibrate(self, *_: Any) -> dict[str, float]:
        return {}


@SELECTIONS.register("oracle")
@dataclass
class OracleTest(Selection):
    """Chooses setting, epoch and δ on the test sets, as the papers' code does: an upper bound, never a result."""

    name = "oracle"

    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return [benchmark]

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        return []

    def calibrate(self, _h: Head, _f: Features, _b: Benchmark, trial: Trial, _c: list[Curve]) -> dict[str, float]:
        return {self.name: trial.folds[0]["delta"]}


def t1_of(tests: TestScores, curve: Curve) -> float:
    """T1 as the head scores it: by the unseen columns of its scores, or among the unseen classes alone."""
    if tests.zsl is None:
        return curve.T1
    return per_class(tests.zsl_predicted, tests.labels, np.flatnonzero(~tests.seen)).mean


def selection_rule(name: str, options: Setting) -> Selection:
    """The rule of this name with `options` set.

    Raises:
        InputError: for an unknown rule or option.
    """
    rule = SELECTIONS[name]
    known = [f.name for f in fields(rule)]
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    return rule(**options)


def attributes_of(benchmark: Benchmark) -> Attributes:
    return Attributes(benchmark.attribute_names, benchmark.attribute_vectors)


def fit(head: Head, features: Features, benchmark: Benchmark) -> Head:
    """Fit on all of the benchmark's trainval; the classes described are all of its classes."""
    rows, labels = take(admissible(features, benchmark), benchmark.trainval), benchmark.labels[benchmark.trainval]
    return head.fit(rows, labels, benchmark.semantics, attributes_of(benchmark))


def fit_candidates(
    head: Head, features: Features, benchmark: Benchmark, candidates: Sequence[Setting]
) -> Iterator[tuple[dict[str, Any], Head]]:
    """The head's `path` over `candidates` on the benchmark's trainval."""
    rows, labels = take(admissible(features, benchmark), benchmark.trainval), benchmark.labels[benchmark.trainval]
    return head.fit_candidates(rows, labels, benchmark.semantics, attributes_of(benchmark), candidates)


def without_slice(benchmark: Benchmark, holdout: float, seed: int) -> Benchmark:
    """A share of each seen class's training images plays test_seen; there is no test_unseen, all classes stay."""
    trainval = np.zeros(len(benchmark.labels), bool)
    trainval[benchmark.trainval] = True
    labels = np.where(trainval, benchmark.labels, -1)
    rest, held = split_images(labels, benchmark.seen_classes, holdout, seed)
    nothing = np.empty(0, np.int64)
    return replace(benchmark, labels=labels, trainval=rest, test_seen=held, test_unseen=nothing, class_splits=())


def held_out_margins(head: Head, features: Features, benchmark: Benchmark, holdout: float, seed: int) -> np.ndarray:
    """Margins of held-out seen images against all classes, the real unseen ones (by their semantics) included.

    Fits a copy of `head` on trainval without those images.
    """
    part = without_slice(benchmark, holdout, seed)
    tests = score_tests(fit(head.with_params(), features, part), features, part)
    return rivals(tests.scores, seen_mask(benchmark)).margin
