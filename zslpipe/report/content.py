"""The contents of a page. This package only draws; all metrics are computed before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from zslpipe.evaluation.confidence import Reliability, ReliabilityBins
from zslpipe.evaluation.curve import Point
from zslpipe.evaluation.imbalance import ErrorByValue, ErrorSummary
from zslpipe.evaluation.results_table import Row
from zslpipe.evaluation.synthetic import Synthetic
from zslpipe.report.training import Losses
from zslpipe.selection import SelectionResult


@dataclass(frozen=True, eq=False)
class SeedCurve:
    """The seen-unseen curve of one seed, thinned for drawing, and its operating points.

    Attributes:
        seed: the seed.
        unseen, seen: (P,) accuracies along the curve.
        chosen: the operating point chosen without the test set, None if there is none.
        uncalibrated: the point at δ = 0.
        oracle: the point with the best H on the test set.
    """

    seed: int
    unseen: np.ndarray
    seen: np.ndarray
    chosen: Point | None
    uncalibrated: Point
    oracle: Point | None


class ClassBar(NamedTuple):
    """A class and its accuracy among all classes (mean over seeds), None if it has no test images."""

    name: str
    seen: bool
    images: int
    accuracy: float | None
    uncalibrated: float | None


class Count(NamedTuple):
    """Test images, and how many of them were named correctly among all classes (mean over seeds)."""

    images: int
    right: float


class Photo(NamedTuple):
    """A test image as a data URI, its true class (and whether that is seen) and its predicted class."""

    image: str
    truth: str
    predicted: str
    seen: bool


class Photos(NamedTuple):
    """Photos named correctly, and mistakes."""

    right: tuple[Photo, ...]
    wrong: tuple[Photo, ...]


@dataclass(frozen=True, eq=False)
class Confusion:
    """The confusion matrix of the most confused classes.

    Attributes:
        names, seen: (K,) the classes.
        shares: (K, K) share of the images of the row's class predicted as the column's class, mean over seeds.
        elsewhere: (K,) share predicted as a class that is not shown.
        pairs: (true, predicted, share) of the most frequent confusions among all classes.
    """

    names: tuple[str, ...]
    seen: tuple[bool, ...]
    shares: np.ndarray
    elsewhere: np.ndarray
    pairs: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class SemanticErrors:
    """The class-averaged errors of predicted semantics.

    Attributes:
        matrix: (K, A) error of each tested class and attribute, mean over seeds.
        names, seen: (K,) the classes.
        attributes: (A,) names of the attributes.
        by_value, summaries: statistics for the keys "seen" and "unseen".
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    seen: np.ndarray
    attributes: tuple[str, ...]
    by_value: Mapping[str, ErrorByValue]
    summaries: Mapping[str, ErrorSummary]


@dataclass(frozen=True, eq=False)
class Trust:
    """How far probabilities can be trusted on the test images, over all seeds.

    Attributes:
        reliability: mean over the seeds.
        before, after: accuracy by probability at temperature 1 and at the fitted one.
    """

    reliability: Reliability
    before: ReliabilityBins
    after: ReliabilityBins


@dataclass(frozen=True, eq=False)
class RunContent:
    """Everything a page shows about one run.

    Attributes:
        name: name of the run.
        about: contents of its run.json.
        rows: its rows in the results table, the validated one first.
        curves: one per seed; empty if a test set is empty.
        classes: all classes of the benchmark.
        confusion, errors: None if there is nothing to show.
        choices: the result of the selection, by seed.
        losses: mean of each loss term in every epoch of the final training, by seed; empty for closed-form heads.
        errors_by_epoch: statistics of the semantic errors after every epoch, by seed; empty if they were not asked for.
        store: provenance of the store, if it is available.
        interval: description of the intervals; may be empty.
        counts: for the keys "unseen" and "seen", at the calibration of the first row.
        photos: None if there are no image files.
        notes: sentences about what was omitted.
        trust: None for a run without a temperature.
        synthetic: of the first seed; None for heads that do not generate features.
    """

    name: str
    about: Mapping[str, Any]
    rows: tuple[Row, ...]
    curves: tuple[SeedCurve, ...]
    classes: tuple[ClassBar, ...]
    confusion: Confusion | None
    errors: SemanticErrors | None
    choices: Mapping[int, SelectionResult]
    losses: Mapping[int, Losses] = field(default_factory=dict)
    errors_by_epoch: Mapping[int, Losses] = field(default_factory=dict)
    store: Mapping[str, Any] | None = None
    interval: str = ""
    counts: Mapping[str, Count] = field(default_factory=dict)
    photos: Photos | None = None
    notes: tuple[str, ...] = field(default=())
    trust: Trust | None = None
    synthetic: Synthetic | None = None

    @property
    def without_images(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.classes if not c.images)
