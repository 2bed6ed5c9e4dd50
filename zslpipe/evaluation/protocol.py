"""The generalized zero-shot protocol: from a fitted head to every number of a results table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.curve import Curve, Point
from zslpipe.evaluation.metrics import Accuracies, accuracies
from zslpipe.evaluation.stacking import check_scores, rivals
from zslpipe.parts.head import Head
from zslpipe.parts.problem import Classes
from zslpipe.store.derived import admissible
from zslpipe.store.rows import Features, take


@dataclass(frozen=True, eq=False)
class TestScores:
    """Scores of all test images of a benchmark (or of one of its folds) for all classes.

    Attributes:
        index: (N,) image indices, those of test_seen first.
        labels: (N,) their classes.
        seen: (C,) bool; every class without training images counts as unseen, tested or not.
        scores: (N, C).
        zsl: (N, U) scores among the unseen classes only, if the head computes them separately.
        others: (N, M) scores for further unseen classes, to which no image belongs.
    """

    __test__ = False  # pytest: not a test

    index: np.ndarray
    labels: np.ndarray
    seen: np.ndarray
    scores: np.ndarray
    zsl: np.ndarray | None = None
    others: np.ndarray | None = None

    @property
    def zsl_predicted(self) -> np.ndarray:
        """(N,) the unseen class predicted among the unseen classes; -1 if there is none."""
        if self.zsl is None:
            return rivals(self.scores, self.seen).unseen
        return np.flatnonzero(~self.seen)[check_scores(self.zsl).argmax(1)]


def seen_mask(benchmark: Benchmark) -> np.ndarray:
    """(C,) bool: which classes have training images."""
    return np.isin(np.arange(len(benchmark.class_names)), benchmark.seen_classes)


def classes_of(benchmark: Benchmark) -> Classes:
    """All classes of a benchmark, those with training images marked as seen."""
    return Classes(benchmark.semantics, seen_mask(benchmark))


def score_tests(head: Head, features: Features, benchmark: Benchmark, others: np.ndarray | None = None) -> TestScores:
    """Score test_seen and test_unseen among all classes.

    `others` are the semantics (M, A) of further unseen classes to score; a head that scores a class depending on which
    classes there are (`separate_zsl`) does not.

    Raises:
        LeakError: if the features were made by a model that has seen labels of these images or of unseen classes.
    """
    index = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    rows, classes = take(admissible(features, benchmark), index), classes_of(benchmark)
    separate = head.separate_zsl and not classes.seen.all()
    zsl = head.bind(classes.only(~classes.seen))(rows) if separate else None
    if others is None or head.separate_zsl:
        return TestScores(index, benchmark.labels[index], classes.seen, head.bind(classes)(rows), zsl)
    count = len(classes)
    both = Classes(np.vstack([classes.semantics, others]), np.append(classes.seen, np.zeros(len(others), bool)))
    scores = head.bind(both)(rows)
    return TestScores(index, benchmark.labels[index], classes.seen, scores[:, :count], zsl, scores[:, count:])


@dataclass(frozen=True)
class ClassResult:
    """The results of one class; accuracies are None if it has no test images.

    Attributes:
        name: the class.
        seen: whether it has training images.
        images: number of test images.
        zsl: accuracy among the unseen classes (None for a seen class).
        accuracy, uncalibrated, oracle: accuracy among all classes at δ, at 0 and at the oracle's δ.
    """

    name: str
    seen: bool
    images: int
    zsl: float | None
    accuracy: float | None
    uncalibrated: float | None
    oracle: float | None


class Averages(NamedTuple):
    """The numbers of a `Result` without its classes."""

    T1: float | None
    U: float | None
    S: float | None
    H: float | None
    AUSUC: float | None
    delta: float | None


@dataclass(frozen=True)
class Result:
    """All results of one fitted head: fractions between 0 and 1, or None if there is nothing to measure.

    Attributes:
        delta: the given calibration; None for none (U, S and H are then those at 0).
        T1, U, S, H: class-averaged accuracies at that calibration.
        uncalibrated: the same at δ = 0.
        oracle: the best H over all δ on the *test* images: an upper bound, not a result.
        AUSUC: area under the seen-unseen curve; independent of δ.
        classes: results by class, in the benchmark's order.
    """

    delta: float | None
    T1: float | None
    U: float | None
    S: float | None
    H: float | None
    uncalibrated: Point
    oracle: Point | None
    AUSUC: float | None
    classes: tuple[ClassResult, ...]

    @property
    def without_images(self) -> tuple[str, ...]:
        """Classes without test images; they enter no average."""
        return tuple(c.name for c in self.classes if not c.images)

    @property
    def images(self) -> dict[str, int]:
        """Numbers of test images of seen and of unseen classes."""
        return {k: sum(c.images for c in self.classes if c.seen == (k == "seen")) for k in ("seen", "unseen")}

    @property
    def averages(self) -> Averages:
        return Averages(self.T1, self.U, self.S, self.H, self.AUSUC, self.delta)

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        values["uncalibrated"] = self.uncalibrated._asdict()
        values["oracle"] = self.oracle and self.oracle._asdict()
        values["classes"] = {k: [getattr(c, k) for c in self.classes] for k in ClassResult.__annotations__}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        columns = values["classes"]
        return cls(
            **{
                **values,
                "uncalibrated": Point(**values["uncalibrated"]),
                "oracle": values["oracle"] and Point(**values["oracle"]),
                "classes": tuple(ClassResult(**dict(zip(columns, row))) for row in zip(*columns.values(), strict=True)),
            }
        )


def evaluate(
    head: Head,
    features: Features,
    benchmark: Benchmark,
    delta: float | None = None,
    usable: np.ndarray | None = None,
) -> Result:
    """Score the test sets with a fitted head and compute all results.

    Args:
        head: a fitted head.
        features: rows of all images of the benchmark.
        benchmark: its test sets are scored; its semantics must be those of the training.
        delta: δ of calibrated stacking, chosen beforehand; None for none.
        usable: (N,) bool, False for images without features.

    Raises:
        ScoresError: if the head's scores are not finite.
    """
    tests = score_tests(head, features, benchmark if usable is None else benchmark.keep(usable))
    return evaluate_scores(tests, benchmark.class_names, delta)


def evaluate_scores(tests: TestScores, class_names: tuple[str, ...], delta: float | None = None) -> Result:
    """All results that follow from scores; see `evaluate`."""
    both = rivals(tests.scores, tests.seen)
    of_seen = tests.seen[tests.labels]
    zsl = None if tests.zsl is None else tests.zsl_predicted
    at = {d: accuracies(both, tests.labels, tests.seen, d, zsl) for d in {0.0, delta or 0.0}}
    chosen, zero = at[delta or 0.0], at[0.0]
    oracle, area = None, None
    if of_seen.any() and not of_seen.all():
        curve = Curve.of(both, tests.labels, tests.seen)
        oracle, area = curve.best(), curve.ausuc()
    best = accuracies(both, tests.labels, tests.seen, oracle.delta) if oracle else None
    alone = _by_class(chosen.zsl, len(class_names))
    images = np.bincount(tests.labels, minlength=len(class_names))
    columns = zip(alone, _joint(chosen, tests.seen), _joint(zero, tests.seen), _joint(best, tests.seen))
    return Result(
        delta=None if delta is None else float(delta),
        T1=_known(chosen.T1),
        U=_known(chosen.U),
        S=_known(chosen.S),
        H=_known(chosen.H),
        uncalibrated=Point(0.0, *(_known(v) for v in (zero.U, zero.S, zero.H))),  # type: ignore[arg-type]
        oracle=oracle,
        AUSUC=area,
        classes=tuple(
            ClassResult(name, bool(tests.seen[c]), int(images[c]), *row)
            for c, (name, row) in enumerate(zip(class_names, columns, strict=True))
        ),
    )


def _known(value: float) -> float | None:
    """None instead of NaN, which JSON lacks."""
    return None if np.isnan(value) else float(value)


def _by_class(counted: Any, classes: int) -> list[float | None]:
    values: list[float | None] = [None] * classes
    for c, accuracy in zip(counted.classes, counted.accuracy):
        values[c] = _known(accuracy)
    return values


def _joint(measured: Accuracies | None, seen: np.ndarray) -> list[float | None]:
    """(C,) accuracy of each class among all classes."""
    if measured is None:
        return [None] * len(seen)
    values = [_by_class(side, len(seen)) for side in (measured.unseen, measured.seen)]
    return [values[int(s)][c] for c, s in enumerate(seen)]
