"""The interface of selection rules: measure every candidate setting in every fold, choose one, refit, calibrate."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.confidence import Confidence
from zslpipe.evaluation.curve import Curve, share_flipped
from zslpipe.evaluation.expected import Expected
from zslpipe.evaluation.metrics import per_class
from zslpipe.evaluation.protocol import TestScores, score_tests
from zslpipe.evaluation.stacking import ScoresError, rivals
from zslpipe.parallel import mapped
from zslpipe.parts.head import Head, Setting
from zslpipe.progress import ticking, track
from zslpipe.registry import Registry, unknown
from zslpipe.selection.confidence import Contenders, FoldScores, learn_confidence
from zslpipe.selection.fitting import fit, fit_candidates, fit_settings, key_of
from zslpipe.selection.result import Carried, LeftOut, SelectionResult, Trial
from zslpipe.store.rows import Features

SELECTIONS: Registry[type["Selection"]] = Registry("selection rule")


class Measurement(NamedTuple):
    """What is measured of a fitted head in one fold.

    Attributes:
        numbers: as in `Trial.folds`.
        curve: the curve that they come from.
        scores: calibrated by the best δ of this fold.
        expected: the curve to expect with as many unseen classes as the benchmark has; None if it has none.
        spread: standard deviation of the scores of a seen image, on average; 0 if it is not needed.
        unseen: number of unseen classes of the fold; 0 if it is not needed.
    """

    numbers: dict[str, float]
    curve: Curve | None = None
    scores: FoldScores | None = None
    expected: Expected | None = None
    spread: float = 0.0
    unseen: int = 0


@dataclass
class Selection(ABC):
    """A rule that chooses a setting of a head, refits it on all of trainval and says which δ to use.

    Args:
        criterion: what to maximise: "H" (the best over all δ), "AUSUC" or "T1".
        seed: of the folds and held-out images.
    """

    name: ClassVar[str]
    leaves_folds_out: ClassVar[bool] = False  # find out what would be chosen without each of the folds
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
        """Try `candidates` (None: the head's search space) and return the choice and the refitted head.

        Images where `usable` (N,) is False are not used. A setting whose scores are not finite in one of the folds is
        rejected; of equally good ones the first is taken.

        Raises:
            InputError: if this rule does not know the criterion.
            ScoresError: if no setting gives finite scores.
        """
        if usable is not None:
            benchmark = benchmark.keep(usable)
        folds = self.problems(benchmark)
        contenders = Contenders()
        candidates = list(candidates or head.search_space())
        tried = self._try_all(head, features, benchmark, folds, candidates, contenders)
        values = [-np.inf if trial.value is None else trial.value for trial, _ in tried]
        if np.isneginf(values).all():
            raise ScoresError(
                f"none of the {len(tried)} settings of {head.name} gave finite scores: try a lower learning rate "
                "or more regularisation."
            )
        best, measured = tried[int(np.argmax(values))]
        key = key_of(best.setting)
        others = self._without_folds(tried, len(folds)) if self.leaves_folds_out else []
        settings = {key: best.setting, **{key_of(trial.setting): trial.setting for trial, _ in others}}
        held = self.score_held_out(head, features, benchmark, settings)
        more = self._measure_more(head, features, benchmark, settings)
        deltas = self.calibrate(benchmark, measured, more[key], held.get(key))
        transfer = getattr(self, "transfer", None)
        delta = deltas.get(transfer or self.name)
        without = []
        for trial, kept in others:
            name = key_of(trial.setting)
            carried = self.calibrate(benchmark, kept, more[name], held.get(name)).get(transfer or self.name)
            folder = "" if name == key else f"without-{list(settings).index(name)}"
            without.append(LeftOut(dict(trial.setting), carried, folder))
        choice = SelectionResult(
            rule=self.name,
            criterion=self.criterion,
            params=dict(best.setting),
            delta=delta,
            deltas=deltas,
            transfer=transfer,
            metrics={k: float(np.mean([f[k] for f in best.folds])) for k in best.folds[0]},
            trials=[trial for trial, _ in tried],
            seed=self.seed,
            folds=len(folds),
            confidence=self.confidence(contenders.of(key), held.get(key), delta),
            without=without,
            carried=self.carried(benchmark, measured, more[key], held.get(key)),
        )
        return choice, fit(head.with_params(**best.setting), features, benchmark)

    def _without_folds(
        self, tried: Sequence[tuple[Trial, list[Measurement]]], folds: int
    ) -> list[tuple[Trial, list[Measurement]]]:
        """What would be chosen without each of the folds, with what the other folds measured."""
        whole = [(trial, measured) for trial, measured in tried if trial.value is not None]
        found = []
        for k in range(folds if folds > 1 else 0):
            rest = [(trial, [*measured[:k], *measured[k + 1 :]]) for trial, measured in whole]
            values = [np.mean([m.numbers[self.criterion] for m in measured]) for _, measured in rest]
            found.append(rest[int(np.argmax(values))])
        return found

    def refit_without(
        self, head: Head, features: Features, benchmark: Benchmark, choice: SelectionResult
    ) -> Iterator[tuple[str, Head]]:
        """The heads of `choice.without` by their folders; each is only valid until the next one is requested."""
        if settings := {one.head: one.params for one in choice.without if one.head}:
            yield from fit_settings(head, features, benchmark, settings)

    @abstractmethod
    def problems(self, benchmark: Benchmark) -> list[Benchmark]:
        """The folds, as benchmarks: settings are fitted on their trainval and measured on their test sets."""

    def inner_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        """All problems on which heads are fitted before the last fit, which is on the benchmark itself."""
        return self.problems(benchmark)

    def evaluate_fold(self, fitted: Head, features: Features, fold: Benchmark, benchmark: Benchmark) -> Measurement:
        """Measure a head fitted on one fold of a benchmark."""
        return self.measure(score_tests(fitted, features, fold))

    def measure(self, tests: TestScores) -> Measurement:
        """Measure the scores of a fold's test images."""
        both = rivals(tests.scores, tests.seen)
        curve = Curve.of(both, tests.labels, tests.seen)
        best = curve.best()
        flipped = share_flipped(both.margin[tests.seen[tests.labels]], best.delta)
        numbers = {**best._asdict(), "T1": t1_of(tests, curve), "AUSUC": curve.ausuc(), "flipped": flipped}
        return Measurement(numbers, curve, FoldScores.of(tests, best.delta))

    def score_held_out(
        self, head: Head, features: Features, benchmark: Benchmark, settings: Mapping[str, Setting]
    ) -> dict[str, TestScores]:
        """For rules that carry δ over with them: scores of held-out seen images by heads refitted without them.

        Args:
            settings: by some key, which is that of the result.
        """
        return {}

    @abstractmethod
    def calibrate(
        self,
        benchmark: Benchmark,
        folds: Sequence[Measurement],
        more: Sequence[Measurement],
        held: TestScores | None,
    ) -> dict[str, float]:
        """δ for the head refitted on all of trainval, by the name of the way it was found; one of them is used.

        Args:
            folds: what the folds measured.
            more: what the folds that are only for calibration measured.
            held: see `score_held_out`.
        """

    def carried(
        self, benchmark: Benchmark, folds: Sequence[Measurement], more: Sequence[Measurement], held: TestScores | None
    ) -> Carried | None:
        """What the calibration allows for, to tell the user; for the arguments see `calibrate`."""
        return None

    def more_problems(self, benchmark: Benchmark) -> list[Benchmark]:
        """Further folds, in which only the chosen setting is fitted, to calibrate it."""
        return []

    def confidence(self, folds: list[FoldScores], held: TestScores | None, delta: float | None) -> Confidence | None:
        """How sure the refitted head is, from its scores in the folds; None if the rule keeps none."""
        return learn_confidence(folds, held, delta or 0.0) if folds else None

    def _try_all(
        self,
        head: Head,
        features: Features,
        benchmark: Benchmark,
        folds: Sequence[Benchmark],
        candidates: Sequence[Setting],
        contenders: Contenders,
    ) -> list[tuple[Trial, list[Measurement]]]:
        """Every setting with what the folds measured, in the order in which the first fold yields them."""
        settings: dict[str, Setting] = {}
        measured: dict[str, list[Measurement | None]] = {}
        with ticking(f"choosing settings of {head.name}, folds", len(folds)) as ticker:
            in_fold = partial(self._try_in_fold, head, features, benchmark, candidates)
            for found in mapped(in_fold, folds):
                contenders.next_fold()
                for setting, measurement in found:
                    key = key_of(setting)
                    settings.setdefault(key, setting)
                    done = measured.setdefault(key, [])
                    done.append(measurement)
                    done[-1] = self._contend(contenders, key, done)
                    ticker.advance(0, note=key)
                ticker.advance()
        return [
            (
                self._trial(settings[key], measured[key], len(folds)),
                [m for m in measured[key] if m is not None],
            )
            for key in settings
        ]

    def _measure_more(
        self, head: Head, features: Features, benchmark: Benchmark, settings: Mapping[str, Setting]
    ) -> dict[str, list[Measurement]]:
        """What the further folds measure, by the key of the setting."""
        found: dict[str, list[Measurement]] = {key: [] for key in settings}
        folds = self.more_problems(benchmark)
        in_fold = partial(self._measure_in_fold, head, features, benchmark, settings)
        for measured in track(mapped(in_fold, folds), f"calibrating {head.name}, folds", len(folds)):
            for key, measurement in measured.items():
                found[key].append(measurement)
        return found

    def _measure_in_fold(
        self, head: Head, features: Features, benchmark: Benchmark, settings: Mapping[str, Setting], fold: Benchmark
    ) -> dict[str, Measurement]:
        """Every setting whose scores are finite, measured in one fold."""
        found = {}
        for key, fitted in fit_settings(head, features, fold, settings):
            try:
                found[key] = self.evaluate_fold(fitted, features, fold, benchmark)._replace(scores=None)
            except ScoresError:
                continue
        return found

    def _try_in_fold(
        self, head: Head, features: Features, benchmark: Benchmark, candidates: Sequence[Setting], fold: Benchmark
    ) -> Iterator[tuple[Setting, Measurement | None]]:
        """Every setting with its measurement in one fold, None if its scores are not finite."""
        for setting, fitted in fit_candidates(head, features, fold, candidates):
            try:
                yield setting, self.evaluate_fold(fitted, features, fold, benchmark)
            except ScoresError:
                yield setting, None

    def _contend(self, contenders: Contenders, key: str, done: list[Measurement | None]) -> Measurement | None:
        """The last measurement, its scores handed over to the contenders if the setting did not diverge so far."""
        last, whole = done[-1], [m for m in done if m is not None]
        if last is None or last.scores is None:
            return last
        if len(whole) == len(done) and self.criterion in last.numbers:
            contenders.add(key, float(np.mean([m.numbers[self.criterion] for m in whole])), last.scores)
        return last._replace(scores=None)

    def _trial(self, setting: Setting, folds: list[Measurement | None], expected: int) -> Trial:
        done = [m.numbers for m in folds if m is not None]
        if done and self.criterion not in done[0]:
            raise InputError(f"{self.name} does not know the criterion '{self.criterion}': use {' or '.join(done[0])}.")
        whole = len(done) == expected
        return Trial(dict(setting), float(np.mean([f[self.criterion] for f in done])) if whole else None, done)


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
