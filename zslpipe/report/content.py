"""What a page shows, measured beforehand: this room draws and never computes a metric."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from zslpipe.evaluation.curve import Point
from zslpipe.evaluation.imbalance import ErrorByValue, ErrorSummary
from zslpipe.evaluation.results_table import Row
from zslpipe.report.training import Losses
from zslpipe.selection.result import SelectionResult


@dataclass(frozen=True, eq=False)
class SeedCurve:
    """The seen-unseen curve of one seed, thinned for drawing, and the points that matter on it.

    Attributes:
        unseen, seen: (P,) accuracies along the curve.
        chosen: the operating point that was chosen without the test set; None where nothing chose one.
        uncalibrated: at δ = 0.
        oracle: the best H on the test set.
    """

    seed: int
    unseen: np.ndarray
    seen: np.ndarray
    chosen: Point | None
    uncalibrated: Point
    oracle: Point | None


class ClassBar(NamedTuple):
    """A class and its accuracy among all classes (mean over seeds); None where it has no test image."""

    name: str
    seen: bool
    images: int
    accuracy: float | None
    uncalibrated: float | None


@dataclass(frozen=True, eq=False)
class Confusion:
    """What the images of the most confused classes were taken for.

    Attributes:
        names, seen: (K,) the classes.
        shares: (K, K) share of the row's images predicted as the column's class, mean over seeds.
        elsewhere: (K,) share predicted as a class not shown.
        pairs: (true, predicted, share) of the most frequent confusions of all classes.
    """

    names: tuple[str, ...]
    seen: tuple[bool, ...]
    shares: np.ndarray
    elsewhere: np.ndarray
    pairs: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class SemanticErrors:
    """How well semantics are predicted: the class-averaged error matrix and what it comes to.

    Attributes:
        matrix: (K, A) error of each tested class and attribute, mean over seeds.
        names, seen: (K,) the classes.
        attributes: (A,) their names.
        by_value, summaries: by side, "seen" or "unseen".
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    seen: np.ndarray
    attributes: tuple[str, ...]
    by_value: Mapping[str, ErrorByValue]
    summaries: Mapping[str, ErrorSummary]


@dataclass(frozen=True, eq=False)
class RunContent:
    """All that a page says of one run.

    Attributes:
        name: the run's.
        about: its run.json.
        rows: its lines in the table, the honest one first.
        choices: what selection chose and tried, by seed.
        losses: by seed, each loss term's mean in every epoch of the final training; empty for closed forms.
        store: provenance of the store, where it is at hand.
        interval: what an interval spans, in words; empty where there is none.
        notes: sentences on what was left out.
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
    store: Mapping[str, Any] | None = None
    interval: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def without_images(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.classes if not c.images)
