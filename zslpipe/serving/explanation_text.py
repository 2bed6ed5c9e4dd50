"""The words of an explanation, which its PNG and its HTML share."""

from collections.abc import Iterator
from typing import NamedTuple

from zslpipe.serving.attribute_estimate import Estimate
from zslpipe.serving.chosen_maps import AttentionMap
from zslpipe.serving.contrast import Contrast, Term
from zslpipe.serving.explain import Explanation

WHERE = "Bright is where the head looked, not how sure it is; each map is scaled to its own maximum."
NOTHING = 1e-3  # of the longest bar: rounding


class Bar(NamedTuple):
    """A line of a chart: a label, a number as text, and a length in [-1, 1] of the longest bar."""

    label: str
    number: str
    length: float
    note: str = ""
    marked: bool = False


def heading(one: Explanation, head: str) -> str:
    verdict = "" if one.true is None else " (right)" if one.true == one.predicted else f" (wrong: it is {one.true})"
    return f"{one.image}   {head} predicts {one.predicted}{verdict}"


def maps_title(one: Explanation) -> str:
    """Whose maps they are; empty without maps."""
    if not one.maps:
        return ""
    of = one.maps[0].of
    if of is None:
        return "Where each class looks"
    known = {one.true: "the true class", one.predicted: "the predicted class"}
    if one.true == one.predicted:
        known[one.true] = "the true and predicted class"
    return f"Where the head looks for attributes of {of} ({known.get(of, 'neither the true nor the predicted class')})"


def map_caption(one: AttentionMap) -> tuple[str, str]:
    """The two lines below a map."""
    if one.of is not None:
        return one.name, f"{one.score:.2f} for {one.of}"
    role = f"{one.role}, predicted" if one.predicted else one.role
    return one.name, f"{role}, score {one.score:.2f}"


def candidate_bars(one: Explanation) -> Iterator[Bar]:
    """The best classes with their probabilities (scores, if there are none); the predicted one is marked."""
    scores = [c.score for c in one.candidates]
    low, span = min(scores), max(max(scores) - min(scores), 1e-12)
    for c in one.candidates:
        length = (c.score - low) / span if c.probability is None else c.probability
        notes = [c.kind, *(["predicted"] if c.name == one.predicted else []), *(["true"] if c.name == one.true else [])]
        yield Bar(c.name, c.text, length, ", ".join(notes), c.name == one.predicted)


def contrast_title(one: Contrast) -> str:
    return f"Why {one.winner} rather than {one.rival}: score higher by {one.difference:.3g}"


def contrast_bars(one: Contrast) -> Iterator[Bar]:
    """What each attribute adds to the difference of the scores, then all other attributes and the calibration."""
    rest = [
        ("all other attributes", one.others),
        ("not from attributes", one.remainder),
        ("photos of unseen classes", one.photos),
        ("calibration (δ)", one.calibration),
    ]
    largest = max(one.largest, *(abs(value) for _, value in rest), 1e-12)
    for term in one.terms:
        yield Bar(term.attribute, f"{term.contribution:+.3g}", term.contribution / largest, term_values(term))
    for label, value in rest:
        if abs(value) > NOTHING * largest:
            yield Bar(label, f"{value:+.3g}", value / largest)


def no_contrast_note(head: str) -> str:
    """What stands in the place of the chart."""
    return f"The scores of {head} are not sums over attributes, so none of them can be said to speak for a class."


ESTIMATE_TITLE = "Attributes of the image, estimated by ridge regression, not by the head"


def estimate_bars(one: Estimate) -> Iterator[Bar]:
    """Where each estimated value lies between the two classes': at 1 as in the winner, at -1 as in its rival."""
    for a in one.attributes:
        place = (2 * a.image - a.winner - a.rival) / (a.winner - a.rival)
        note = f"classes {a.winner:.2f} and {a.rival:.2f}"
        yield Bar(a.attribute, f"{a.image:.2f}", min(max(place, -1.0), 1.0), note)


def estimate_note(one: Estimate) -> str:
    """How to read that chart, and how far to trust it."""
    return (
        f"The attributes in which the two classes differ most. Right: the image is like {one.winner}; left: like "
        f"{one.rival}. Beside each attribute: its value in the two classes, in that order. The regression reads the "
        "features that the head reads. It was fitted to the training images, and explains "
        f"{100 * one.explained:.0f} % of the variance of attributes among classes that were left out."
    )


def term_values(term: Term) -> str:
    """The attribute's value in both classes, or, where the head predicts it from the image, all three as compared."""
    if term.compared is None:
        return f"classes {term.winner:.2f} and {term.rival:.2f}"
    image, winner, rival = term.compared
    return f"image {image:+.2f}, classes {winner:+.2f} and {rival:+.2f}"


def contrast_note(one: Contrast) -> str:
    """How to read the chart."""
    values = "its value in the semantics of the two classes, in that order."
    if any(term.compared is not None for term in one.terms):
        values = "what the head predicts from the image, and the two classes, as it compares them (of unit length)."
    return f"Right: speaks for {one.winner}; left: for {one.rival}. Beside each attribute: {values}"
