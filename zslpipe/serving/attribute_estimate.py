"""Attributes of images by ridge regression, for heads that predict none themselves."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.parts.embeds import Embeds
from zslpipe.parts.head import Head
from zslpipe.parts.scaling import unit_rows
from zslpipe.parts.scatter import members
from zslpipe.serving.contrast import TERMS
from zslpipe.serving.predictor import ClassList
from zslpipe.store.rows import BLOCK, Features, take

RIDGES = np.logspace(-3, 2, 11)
FEWEST = 3  # classes: one is left out to choose the ridge


@dataclass(frozen=True, eq=False)
class AttributeEstimate:
    """A ridge regression from features to semantics: what is linear in the features, whatever the head makes of it.

    It is fitted to the mean features of each seen class's training images, of unit length; the ridge is that with the
    least error for a class left out. Features are the head's embedding if it has one, otherwise the tap `global`.

    Attributes:
        head: whose features are used.
        regression: fitted.
        explained: share of the variance of semantics between classes that it explains for classes left out.
    """

    head: Head
    regression: Any
    explained: float

    @classmethod
    def of(cls, head: Head, features: Features, benchmark: Benchmark) -> Self | None:
        """From the training images of a benchmark; None if there are too few seen classes, or no such features."""
        if len(benchmark.seen_classes) < FEWEST or not (isinstance(head, Embeds) or "global" in features):
            return None
        from sklearn.linear_model import RidgeCV  # imported here: it takes a second

        seen, labels = np.unique(benchmark.labels[benchmark.trainval], return_inverse=True)
        sums: Any = 0.0
        for start in range(0, len(labels), BLOCK):
            part = take(features, benchmark.trainval[start : start + BLOCK])
            sums = sums + members(labels[start : start + BLOCK], len(seen)) @ _unit_features(head, part)
        semantics = benchmark.semantics[seen].astype(np.float64)
        regression = RidgeCV(RIDGES).fit(sums / np.bincount(labels)[:, None], semantics)
        variance = float(semantics.var(0).mean())
        explained = 1 + float(regression.best_score_) / variance if variance > 0 else 0.0  # the score is minus an error
        return cls(head, regression, max(explained, 0.0))

    def __call__(self, features: Features) -> np.ndarray:
        """(N, A) semantics of N images."""
        return np.asarray(self.regression.predict(_unit_features(self.head, features)))


@dataclass(frozen=True)
class Estimated:
    """An attribute of an image as estimated, and its value in the semantics of the winner and of its rival."""

    attribute: str
    image: float
    winner: float
    rival: float


@dataclass(frozen=True)
class Estimate:
    """Attributes of the image by ridge regression, not by the head; see `AttributeEstimate`.

    Attributes:
        winner, rival: the two classes, as in `Contrast`.
        attributes: those in which the two classes differ most, in the order of that difference.
        explained: share of the variance of attributes that the regression explains for classes left out.
    """

    winner: str
    rival: str
    attributes: tuple[Estimated, ...]
    explained: float


def estimate(
    attributes: AttributeEstimate, features: Features, classes: ClassList, winner: int, rival: int
) -> Estimate:
    """The attributes of an image (1, ...) in which two classes differ most, as estimated."""
    image, (one, other) = attributes(features)[0], classes.semantics[[winner, rival]]
    chosen = np.argsort(-np.abs(one - other), kind="stable")[:TERMS]
    shown = (Estimated(classes.attribute_names[a], *map(float, (image[a], one[a], other[a]))) for a in chosen)
    differing = tuple(a for a in shown if a.winner != a.rival)
    return Estimate(classes.names[winner], classes.names[rival], differing, attributes.explained)


def _unit_features(head: Head, features: Features) -> np.ndarray:
    rows = head.embed(features) if isinstance(head, Embeds) else features["global"][:]
    return unit_rows(np.asarray(rows, np.float64))
