"""What spoke for the class that won, and what for its rival: the terms of a score that is a sum over attributes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.evaluation.imbalance import PredictsSemantics
from zslpipe.parts.head import Head
from zslpipe.parts.photos import WithPhotos
from zslpipe.parts.problem import Classes
from zslpipe.parts.scaling import unit_rows
from zslpipe.parts.sums_attributes import ContrastsAttributes, SumsAttributes
from zslpipe.serving.predictor import Predictor
from zslpipe.store.rows import Features

TERMS = 12  # attributes that are shown for and against


@dataclass(frozen=True)
class Term:
    """An attribute that spoke for the winner (positive) or for its rival (negative).

    Attributes:
        attribute: its name.
        contribution: its part of the difference between the two scores.
        winner, rival: its value in the semantics of the two classes.
        compared: its value in the semantics that the head predicts from the image, and in those of the two classes
            as it compares them with: centred, if the head does so, and of unit length. None for a head that predicts
            no semantics.
    """

    attribute: str
    contribution: float
    winner: float
    rival: float
    compared: tuple[float, float, float] | None


@dataclass(frozen=True)
class Contrast:
    """Why the winner has a higher calibrated score than its rival: the class that was asked for, or the true class if
    that lost, or else the runner-up.

    Attributes:
        winner, rival: the two classes.
        difference: of their calibrated scores.
        calibration: what δ adds to the difference: it speaks against a seen class.
        photos: what photos of unseen classes add to it, if the run was given some.
        terms: attributes with the largest contributions, largest first.
        others: sum of the contributions of all other attributes.
        remainder: the rest of the difference, which comes from no attribute.
    """

    winner: str
    rival: str
    difference: float
    calibration: float
    photos: float
    terms: tuple[Term, ...]
    others: float
    remainder: float

    @property
    def largest(self) -> float:
        """The largest contribution without its sign."""
        return max((abs(term.contribution) for term in self.terms), default=0.0)


def contrast(predictor: Predictor, features: Features, scores: np.ndarray, winner: int, rival: int) -> Contrast | None:
    """What spoke for the winner and for its rival; None for a head whose scores are not sums over attributes."""
    head, classes = without_photos(predictor.head), predictor.classes
    pair = [winner, rival]
    gained = _gained(head, features, *classes.semantics[pair])
    if gained is None:
        return None
    compared = _compared(head, features, classes.semantics[pair])
    chosen = np.argsort(-np.abs(gained), kind="stable")[:TERMS]
    chosen = chosen[np.argsort(-gained[chosen], kind="stable")]
    values = classes.semantics[pair]
    difference = float(scores[winner] - scores[rival])
    calibration = (predictor.delta or 0.0) * (int(classes.seen[rival]) - int(classes.seen[winner]))
    photos = 0.0
    if isinstance(predictor.head, WithPhotos):
        added = predictor.head.added(features, Classes(classes.semantics, classes.seen))[0]
        photos = float(added[winner] - added[rival])
    return Contrast(
        winner=classes.names[winner],
        rival=classes.names[rival],
        difference=difference,
        calibration=calibration,
        photos=photos,
        terms=tuple(
            Term(
                classes.attribute_names[a],
                float(gained[a]),
                float(values[0, a]),
                float(values[1, a]),
                None if compared is None else tuple(compared[:, a].tolist()),
            )
            for a in chosen
        ),
        others=float(gained.sum() - gained[chosen].sum()),
        remainder=difference - calibration - photos - float(gained.sum()),
    )


def without_photos(head: Head) -> Head:
    """The trained head itself, whose parts can be explained."""
    return head.base if isinstance(head, WithPhotos) else head


def _gained(head: Head, features: Features, winner: np.ndarray, rival: np.ndarray) -> np.ndarray | None:
    """(A,) what each attribute adds to the lead of the winner (A,) over its rival (A,)."""
    if isinstance(head, ContrastsAttributes):
        return head.attribute_differences(features, winner, rival)[0].astype(np.float64)
    if isinstance(head, SumsAttributes):
        terms = head.attribute_terms(features, np.stack([winner, rival]))[0].astype(np.float64)  # (2, A)
        return np.asarray(terms[0] - terms[1])
    return None


def _compared(head: Any, features: Features, semantics: np.ndarray) -> np.ndarray | None:
    """(3, A) predicted semantics and those of two classes (2, A), of unit length; None if the head predicts none."""
    if not isinstance(head, PredictsSemantics):
        return None
    targets = getattr(head, "semantic_targets", lambda same: same)(semantics)
    return unit_rows(np.concatenate([head.predict_semantics(features), targets]).astype(np.float64))
