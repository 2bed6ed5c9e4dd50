"""Why a fitted head names an image as it does: its best classes, what spoke for the first of them, where it looked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.evaluation.imbalance import PredictsSemantics
from zslpipe.parts.attends import AttendsByAttribute, AttendsByClass
from zslpipe.parts.head import Head
from zslpipe.parts.photos import WithPhotos
from zslpipe.parts.problem import Classes
from zslpipe.parts.scaling import unit_rows
from zslpipe.parts.sums_attributes import ContrastsAttributes, SumsAttributes
from zslpipe.serving.attribute_estimate import AttributeEstimate
from zslpipe.serving.predictor import Candidate, ClassList, Predictor
from zslpipe.store.rows import Features

RANKED, TERMS = 5, 12  # classes that are listed, attributes that are shown for and against


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """The attention for one class or attribute: where the head looked, not how sure it is.

    Attributes:
        name: name of the class or attribute.
        role: "true class", "wrong class", "class" or "attribute".
        score: the calibrated score of the class, or the value of the attribute in the semantics of the class `of`.
        attention: (R,) shares over the regions; they sum to one.
        of: the class whose attribute it is; None for the map of a class.
        predicted: whether it is the map of the class that the head predicts.
    """

    name: str
    role: str
    score: float
    attention: np.ndarray
    of: str | None = None
    predicted: bool = False

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "attention": [round(share, 6) for share in self.attention.tolist()]}


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


@dataclass(frozen=True, eq=False)
class Explanation:
    """The prediction of a head for one image, and what led to it.

    Attributes:
        image: id or path of the image.
        true: its class, None if it has none.
        predicted: the class with the highest calibrated score among all classes.
        candidates: the classes with the highest scores, and the true one.
        contrast: None for a head whose scores are not sums over attributes, or with a single class.
        estimate: for a head that predicts no semantics, if the run's store is at hand.
        maps: attention maps, the most important first; empty for a head without attention.
    """

    image: str
    true: str | None
    predicted: str
    candidates: tuple[Candidate, ...]
    contrast: Contrast | None
    estimate: Estimate | None
    maps: tuple[AttentionMap, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "true": self.true,
            "predicted": self.predicted,
            "classes": [one.as_json() for one in self.candidates],
            "contrast": None if self.contrast is None else asdict(self.contrast),
            "estimate": None if self.estimate is None else asdict(self.estimate),
            "maps": [one.as_json() for one in self.maps],
        }


def explain(
    predictor: Predictor,
    features: Features,
    image: str,
    true: int | None = None,
    others: int = 3,
    classes: Sequence[int] = (),
    attributes: AttributeEstimate | None = None,
) -> Explanation:
    """Explain what a run says of one image.

    Args:
        predictor: the run.
        features: of the image alone, (1, ...) by tap.
        image: what to call it.
        true: its class, None if that is not known.
        others: number of wrong classes whose maps are shown besides the true one's, strongest first. A head with
            attention per attribute shows the maps of `others` + 1 attributes.
        classes: classes to show besides the true one, instead of the strongest wrong ones. The first that does not win
            is the rival. A head with attention per attribute shows the attributes of the first of them, instead of
            those of the true class.
        attributes: estimates those of the image, for a head that predicts none.
    """
    candidates, names = predictor.classes, predictor.classes.names
    scores = predictor.scores(features)[0]
    ranked = np.argsort(-scores, kind="stable").tolist()
    wanted = [*classes, *([] if true is None else [true]), *ranked]
    rival = next((c for c in wanted if c != ranked[0]), None)
    estimate = None
    if attributes is not None and rival is not None:
        estimate = _estimate(attributes, features, candidates, ranked[0], rival)
    return Explanation(
        image=image,
        true=None if true is None else names[true],
        predicted=names[ranked[0]],
        candidates=_best(predictor, features, image, ranked, true),
        contrast=None if rival is None else contrast(predictor, features, scores, ranked[0], rival),
        estimate=estimate,
        maps=_maps(without_photos(predictor.head), features, candidates, scores, ranked, true, others, classes),
    )


def _best(
    predictor: Predictor, features: Features, image: str, ranked: list[int], true: int | None
) -> tuple[Candidate, ...]:
    """The first classes, and the true one wherever it is."""
    (all_,) = predictor.rank([image], features, len(ranked))
    place = -1 if true is None else ranked.index(true)
    return (*all_.candidates[:RANKED], *([all_.candidates[place]] if place >= RANKED else []))


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


def _estimate(
    attributes: AttributeEstimate, features: Features, classes: ClassList, winner: int, rival: int
) -> Estimate:
    image, (one, other) = attributes(features)[0], classes.semantics[[winner, rival]]
    chosen = np.argsort(-np.abs(one - other), kind="stable")[:TERMS]
    shown = (Estimated(classes.attribute_names[a], *map(float, (image[a], one[a], other[a]))) for a in chosen)
    differing = tuple(a for a in shown if a.winner != a.rival)
    return Estimate(classes.names[winner], classes.names[rival], differing, attributes.explained)


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


def _maps(
    head: Head,
    one: Features,
    classes: ClassList,
    scores: np.ndarray,
    ranked: list[int],
    true: int | None,
    others: int,
    asked: Sequence[int],
) -> tuple[AttentionMap, ...]:
    if isinstance(head, AttendsByClass):
        wrong = [c for c in (asked or ranked) if c != true]
        count = len(wrong) if asked else others + (true is None)
        shown = wrong[:count] if true is None else [true, *wrong[:count]]
        return _by_class(head, one, classes, scores, true, shown, ranked[0])
    if isinstance(head, AttendsByAttribute):
        try:
            attention = head.attention(one)[0]  # (R, A)
        except InputError:  # trained without regions
            return ()
        return _by_attribute(attention, classes, asked[0] if asked else ranked[0] if true is None else true, others + 1)
    return ()


def _by_class(
    head: AttendsByClass,
    one: Features,
    classes: ClassList,
    scores: np.ndarray,
    true: int | None,
    shown: list[int],
    predicted: int,
) -> tuple[AttentionMap, ...]:
    attention = head.class_attention(one, classes.semantics[shown])[0]  # (shown, R)
    roles = {c: "class" if true is None else "true class" if c == true else "wrong class" for c in shown}
    return tuple(
        AttentionMap(classes.names[c], roles[c], float(scores[c]), a, predicted=c == predicted)
        for c, a in zip(shown, attention)
    )


def _by_attribute(attention: np.ndarray, classes: ClassList, shown: int, count: int) -> tuple[AttentionMap, ...]:
    """Maps of the attributes whose value in the class is highest above the mean over all classes."""
    semantics = classes.semantics
    chosen = np.argsort(-(semantics[shown] - semantics.mean(0)), kind="stable")[:count]
    names, of = classes.attribute_names, classes.names[shown]
    return tuple(AttentionMap(names[a], "attribute", float(semantics[shown, a]), attention[:, a], of) for a in chosen)
