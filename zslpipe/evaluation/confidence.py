"""How sure a head is: probabilities from calibrated scores, and images of classes that are not among the candidates.

Scores become probabilities by softmax(scores / temperature) (Guo et al., 2017), after δ has been subtracted from those
of seen classes. An image of a class that nobody named ("none of these") is told by a certainty that is low.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from zslpipe.evaluation.stacking import check_scores, in_parts

BINS = 15  # of the expected calibration error, as in the paper
ROUNDING = 1e-6  # share of the largest score; scores that spread less are equal but for rounding errors
PLAUSIBLE = 100.0  # scores that spread more than so many times as wide have no common scale
WIDEST = 1e4  # a temperature lies within this factor of the spread of the scores
CERTAINTIES = ("probability", "score", "margin", "energy")

Part = tuple[np.ndarray, np.ndarray]  # calibrated scores (N, C) and labels (N,)


class ReliabilityBins(NamedTuple):
    """Mean probability, accuracy and share of the images (B,) of each bin."""

    probability: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class Confidence:
    """How the scores of a head become probabilities, and which images it calls "none of these".

    Attributes:
        temperature: probabilities are softmax(calibrated scores / temperature).
        certainty: what is compared with the threshold, one of CERTAINTIES.
        threshold: images with less certainty are rejected; 95 % of held-out images of known classes have more.
        auroc: of that certainty in the folds: images of unseen classes with their own class hidden against all images.
        ece, ece_uncalibrated: expected calibration error in the folds, at that temperature and at temperature 1.
    """

    temperature: float
    certainty: str
    threshold: float
    auroc: float | None
    ece: float
    ece_uncalibrated: float

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """(N, C) of calibrated scores."""
        return probabilities(scores, self.temperature)

    def accepts(self, scores: np.ndarray) -> np.ndarray:
        """(N,) bool, False for images that belong to none of the classes of these calibrated scores (N, C)."""
        return np.asarray(certainty(scores, self.temperature, self.certainty) >= self.threshold)


@dataclass(frozen=True)
class Reliability:
    """How well a `Confidence` that was chosen without test images does on them.

    Attributes:
        temperature: that of the confidence.
        ece, ece_uncalibrated: expected calibration error at that temperature and at temperature 1.
        auroc: images of unseen classes with their own class hidden against all images; None if there are none.
        accepted: share of the images that the threshold accepts.
        rejected: share of those with a hidden class that it rejects; None if there are none.
    """

    temperature: float
    ece: float
    ece_uncalibrated: float
    auroc: float | None
    accepted: float
    rejected: float | None

    @classmethod
    def of(cls, confidence: Confidence, scores: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> "Reliability":
        """Measure on calibrated scores (N, C), labels (N,) and the mask of seen classes (C,)."""
        unseen, temperature = ~np.asarray(seen, bool)[labels], confidence.temperature
        known, unknown = certainties(scores, labels, unseen, temperature, confidence.certainty)
        return cls(
            temperature=temperature,
            ece=calibration_error(*predicted(scores, labels, temperature)),
            ece_uncalibrated=calibration_error(*predicted(scores, labels, 1.0)),
            auroc=auroc(known, unknown),
            accepted=float((known >= confidence.threshold).mean()),
            rejected=float((unknown < confidence.threshold).mean()) if len(unknown) else None,
        )

    @classmethod
    def mean(cls, several: Sequence["Reliability"]) -> "Reliability":
        """The mean of each number over seeds; None if a seed lacks it."""
        columns = [[getattr(one, f.name) for one in several] for f in fields(cls)]
        return cls(*[None if None in column else float(np.mean(column)) for column in columns])  # type: ignore[arg-type]


def calibrated(scores: np.ndarray, seen: np.ndarray, delta: float | None) -> np.ndarray:
    """Scores (N, C) less δ for the classes in the mask `seen` (C,)."""
    return np.asarray(check_scores(scores) - np.float32(delta or 0.0) * np.asarray(seen, np.float32))


def probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """(N, C) softmax of calibrated scores / temperature; -inf is a class that is no candidate."""
    shifted = np.exp((scores - scores.max(1, keepdims=True)).astype(np.float64) / temperature)
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def predicted(scores: np.ndarray, labels: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """The probability of the prediction (N,), and whether it is right (N,), from calibrated scores and labels (N,)."""
    sure = in_parts(lambda part: probabilities(part, temperature).max(1), scores)
    return sure, in_parts(lambda part: part.argmax(1), scores) == labels


def spread(*scores: np.ndarray, rows: np.ndarray | None = None) -> float:
    """The standard deviation of an image's scores over the classes, averaged over the images (all, or these `rows`).

    `scores` are one or more arrays (N, C), for different classes.
    """
    return float(in_parts(lambda *parts: np.hstack(parts).std(1, dtype=np.float64), *scores, rows=rows).mean())


def times_as_wide(after: float, before: float) -> float:
    """How much wider scores spread than before; 1 if either set differs by rounding errors only."""
    return after / before if before < PLAUSIBLE * after and after < PLAUSIBLE * before else 1.0


def fit_temperature(parts: Sequence[Part]) -> float:
    """The temperature with the smallest negative log-likelihood: the mean over the parts (folds) of that per image.

    It is 1 for scores that differ by rounding errors only.

    Args:
        parts: calibrated scores and labels, such as those of each validation fold.
    """
    from scipy.optimize import minimize_scalar

    size = float(np.mean([spread(scores) for scores, _ in parts]))
    if size <= ROUNDING * max(float(np.abs(scores).max(initial=0)) for scores, _ in parts):
        return 1.0

    def loss(log_temperature: float) -> float:
        temperature = size * np.exp(log_temperature)
        return float(np.mean([_log_loss(scores, labels, temperature) for scores, labels in parts]))

    bound = np.log(WIDEST)
    return float(size * np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def _log_loss(scores: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    def losses(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        below = (scores - scores.max(1, keepdims=True)) / np.float32(temperature)
        own = below[np.arange(len(labels)), labels].astype(np.float64)
        return np.asarray(np.log(np.exp(below).sum(1, dtype=np.float64)) - own)

    return float(np.mean(in_parts(losses, scores, labels)))


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error (ECE): |accuracy - mean probability| of the prediction, averaged over 15 bins.

    Args:
        sure: (N,) probabilities of the predictions.
        right: (N,) bool, which of them are right.
    """
    bins = reliability_bins(sure, right)
    return float(np.sum(bins.share * np.abs(bins.accuracy - bins.probability)))


def reliability_bins(sure: np.ndarray, right: np.ndarray) -> ReliabilityBins:
    """Images in 15 bins of equal width by the probability of their prediction; empty bins are left out."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    used = count > 0
    sums = [np.bincount(bins, values, BINS)[used] for values in (sure, right.astype(float))]
    return ReliabilityBins(sums[0] / count[used], sums[1] / count[used], count[used] / max(len(right), 1))


def certainty(scores: np.ndarray, temperature: float, kind: str) -> np.ndarray:
    """(N,) how sure a head is that an image belongs to one of the classes, from calibrated scores (N, C).

    `kind` is one of CERTAINTIES: the largest "probability"; the largest "score"; the "margin" between the largest and
    the second; or the (negative) free "energy", the logarithm of the sum of exponentials (Liu et al., 2020). All but
    the first are in units of the temperature.
    """
    return in_parts(lambda part: _certainty(part, temperature, kind), scores)


def _certainty(scores: np.ndarray, temperature: float, kind: str) -> np.ndarray:
    if kind == "probability":
        return np.asarray(probabilities(scores, temperature).max(1))
    units = scores.astype(np.float64) / temperature
    best = units.max(1)
    if kind == "score":
        return np.asarray(best)
    if kind == "energy":
        return np.asarray(best + np.log(np.exp(units - best[:, None]).sum(1)))
    second = np.partition(units, -2, axis=1)[:, -2] if units.shape[1] > 1 else best
    return np.asarray(best - second)


def without_own_class(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The scores (N, C) with the column of each image's own class at -inf: to the head, a class nobody named."""
    hidden = scores.copy()
    hidden[np.arange(len(labels)), labels] = -np.inf
    return hidden


def auroc(known: np.ndarray, unknown: np.ndarray) -> float | None:
    """The chance that a known image is surer than an unknown one (a tie counts half); None without images of either."""
    if not len(known) or not len(unknown):
        return None
    order = np.sort(known)
    below = np.searchsorted(order, unknown, "left") + np.searchsorted(order, unknown, "right")
    return float(1 - below.mean() / (2 * len(known)))


def certainties(
    scores: np.ndarray, labels: np.ndarray, unseen: np.ndarray, temperature: float, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """The `certainty` of all images (N,), and that of images of unseen classes with their own class hidden.

    The latter are in the mask `unseen` (N,); there are none if there is no second class.
    """

    def hidden(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return _certainty(without_own_class(scores, labels), temperature, kind)

    rows = np.flatnonzero(unseen)
    some = len(rows) and scores.shape[1] > 1
    return certainty(scores, temperature, kind), in_parts(hidden, scores, labels, rows=rows) if some else np.empty(0)


def unknown_auroc(
    scores: np.ndarray, labels: np.ndarray, unseen: np.ndarray, temperature: float, kind: str
) -> float | None:
    """AUROC of a certainty: all images against those of unseen classes, in the mask (N,), with their own class hidden.

    None if there are no such images, or no second class.
    """
    return auroc(*certainties(scores, labels, unseen, temperature, kind))
