"""Which attention maps explain what a head says of an image."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.parts.attends import AttendsByAttribute, AttendsByClass
from zslpipe.parts.head import Head
from zslpipe.serving.predictor import ClassList
from zslpipe.store.rows import Features


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


def maps(
    head: Head,
    one: Features,
    classes: ClassList,
    scores: np.ndarray,
    ranked: list[int],
    true: int | None,
    others: int,
    asked: Sequence[int],
) -> tuple[AttentionMap, ...]:
    """The maps of classes or attributes that `explain` shows, the most important first; none without attention."""
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
