"""Imbalance of semantic errors (Ye et al., TIP 2023, Figs. 3 and 8 to 10).

The class-averaged error matrix contains, for class k and attribute j, the mean over the images of class k of
(t̂_ij - t_kj)^2, with predictions and class semantics scaled to unit length. Its standard deviation measures how
uneven the errors are. The correlation of errors with semantic values measures whether large values, which are rare,
are predicted worse.

Errors and values belong to one frame. The paper's is that of the semantics as they are ("raw"). A head that predicts
centred semantics can also be judged in the frame of what it predicts ("predicted"); in the raw one its predictions, of
which only the direction counts, get the mean length of the centred semantics of the seen classes before the centre is
added back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.protocol import seen_mask
from zslpipe.evaluation.stacking import ScoresError
from zslpipe.parts.scaling import unit_rows
from zslpipe.store.rows import Features, take

TINY = 1e-10  # added to norms, as in the loss of the paper


@runtime_checkable
class PredictsSemantics(Protocol):
    """A fitted head that predicts semantics.

    A head that is trained to predict transformed semantics (for example centred ones) also has a method
    `semantic_targets(semantics (C, A)) -> (C, A)` with the transformation.
    """

    def predict_semantics(self, features: Features) -> np.ndarray:
        """(N, A) predicted semantics; each row may have any scale."""


class ErrorSummary(NamedTuple):
    """Statistics of the errors of the seen or the unseen classes; NaN if undefined.

    Attributes:
        mean, std: mean and standard deviation of the entries of the error matrix.
        pearson_mean_over_classes: Pearson's r between errors and values within a class, averaged over the classes
            (as in the released code of the paper).
        pearson_mean_over_semantics: r within an attribute over the classes, averaged over the attributes.
        pearson_overall: r over all entries.
    """

    mean: float
    std: float
    pearson_mean_over_classes: float
    pearson_mean_over_semantics: float
    pearson_overall: float

    @classmethod
    def average(cls, summaries: Sequence[Self]) -> Self:
        """The mean of each statistic over seeds."""
        return cls(*np.mean(summaries, axis=0).tolist())


class ErrorByValue(NamedTuple):
    """Errors by semantic value: arrays with one entry per bin; bins have equally many entries of the error matrix."""

    value: np.ndarray
    mean: np.ndarray
    lower_quartile: np.ndarray
    upper_quartile: np.ndarray
    entries: np.ndarray


@dataclass(frozen=True, eq=False)
class Imbalance:
    """The error matrix and its statistics.

    Attributes:
        errors: (C, A) class-averaged squared errors; NaN rows for classes without test images.
        values: (C, A) the semantics, in the frame of the errors.
        is_seen: (C,) bool, which classes are seen.
    """

    errors: np.ndarray
    values: np.ndarray
    is_seen: np.ndarray

    @property
    def seen(self) -> ErrorSummary:
        return self._summary(self.is_seen)

    @property
    def unseen(self) -> ErrorSummary:
        return self._summary(~self.is_seen)

    @property
    def pearson_by_class(self) -> np.ndarray:
        """(C,) r between errors and values within each class."""
        return pearson(self.errors, self.values)

    def by_value(self, seen: bool, bins: int = 8) -> ErrorByValue:
        """Errors by semantic value over the tested seen or unseen classes."""
        rows = self._tested(self.is_seen == seen)
        order = np.argsort(self.values[rows], axis=None, kind="stable")
        errors, values = self.errors[rows].ravel()[order], self.values[rows].ravel()[order]
        parts = [p for p in np.array_split(np.arange(len(order)), bins) if len(p)]
        quartiles = np.array([np.quantile(errors[p], (0.25, 0.75)) for p in parts]).reshape(-1, 2)
        return ErrorByValue(
            np.array([values[p].mean() for p in parts]),
            np.array([errors[p].mean() for p in parts]),
            quartiles[:, 0],
            quartiles[:, 1],
            np.array([len(p) for p in parts]),
        )

    @property
    def sides(self) -> dict[str, ErrorSummary]:
        return {"seen": self.seen, "unseen": self.unseen}

    def _tested(self, side: np.ndarray) -> np.ndarray:
        return side & ~np.isnan(self.errors).all(1)

    def _summary(self, side: np.ndarray) -> ErrorSummary:
        rows = self._tested(side)
        if not rows.any():
            return ErrorSummary(*[float("nan")] * 5)
        errors, values = self.errors[rows].astype(np.float64), self.values[rows].astype(np.float64)
        return ErrorSummary(
            float(errors.mean()),
            float(errors.std()),
            _known_mean(pearson(errors, values)),
            _known_mean(pearson(errors.T, values.T)),
            float(pearson(errors.reshape(1, -1), values.reshape(1, -1))[0]),
        )


def semantic_errors(
    predicted: np.ndarray, labels: np.ndarray, targets: np.ndarray, normalise: bool = True
) -> np.ndarray:
    """Class-averaged squared errors (C, A); rows of classes without images are NaN.

    Args:
        predicted: (N, A) predicted semantics.
        labels: (N,) rows of `targets`.
        targets: (C, A) class semantics.
        normalise: scale all rows of `predicted` and `targets` to unit length first.

    Raises:
        ScoresError: if predictions are not finite.
    """
    predicted, targets = np.asarray(predicted, np.float64), np.asarray(targets, np.float64)
    if not np.isfinite(predicted).all():
        raise ScoresError("predicted semantics are NaN or infinite: the head has diverged; change its settings.")
    if normalise:
        predicted, targets = (unit_rows(x, TINY) for x in (predicted, targets))
    squared = (predicted - targets[labels]) ** 2
    order = np.argsort(labels, kind="stable")
    present, first = np.unique(np.asarray(labels)[order], return_index=True)
    errors = np.full(targets.shape, np.nan)
    if len(present):
        counts = np.diff(np.append(first, len(labels)))
        errors[present] = np.add.reduceat(squared[order], first, axis=0) / counts[:, None]
    return errors


def imbalance(
    head: PredictsSemantics, features: Features, benchmark: Benchmark, frame: Literal["raw", "predicted"] = "raw"
) -> Imbalance:
    """Compute the error matrix of a fitted head on the test images of `benchmark`, in one of the frames."""
    index, seen = np.concatenate([benchmark.test_seen, benchmark.test_unseen]), seen_mask(benchmark)
    predicted = head.predict_semantics(take(features, index))
    transform = getattr(head, "semantic_targets", lambda semantics: semantics)
    values = targets = transform(benchmark.semantics)
    if frame == "raw":
        values = benchmark.semantics
        predicted = uncentred(predicted, values, targets, seen)
    return Imbalance(semantic_errors(predicted, benchmark.labels[index], values), values, seen)


def uncentred(predicted: np.ndarray, semantics: np.ndarray, targets: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Predictions (N, A) of the targets, semantics (C, A) less a centre, as predictions of the semantics themselves."""
    centre = (semantics.astype(np.float64) - targets).mean(0)
    if not centre.any():
        return predicted
    length = np.linalg.norm(targets[seen], axis=1).mean()
    return length * predicted / (np.linalg.norm(predicted, axis=1, keepdims=True) + TINY) + centre


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(R,) Pearson's r between the rows of `x` and `y` (R, n); NaN if either is constant."""
    x, y = (v - v.mean(1, keepdims=True) for v in (np.asarray(x, np.float64), np.asarray(y, np.float64)))
    scale = np.sqrt((x**2).sum(1) * (y**2).sum(1))
    return np.divide((x * y).sum(1), scale, out=np.full(len(x), np.nan), where=scale > 0)


def _known_mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
