"""The terms of a page, each explained where it stands and once more in a list."""

from zslpipe.report.markup import Markup, el

TERMS = {
    "seen": "A class with training photos.",
    "unseen": "A class without training photos, known only by its description (its semantics).",
    "semantics": "The description of a class as a row of numbers, such as one per attribute: striped, lives in water.",
    "T1": "Accuracy on photos of unseen classes when only the unseen classes are offered as answers.",
    "U": "Accuracy on photos of unseen classes when all classes, seen and unseen, are offered as answers.",
    "S": "Accuracy on photos of seen classes when all classes are offered as answers.",
    "H": "Harmonic mean of U and S: high only if both are.",
    "AUSUC": "Area under the seen-unseen curve: how good U and S are over all calibrations.",
    "δ": "What is subtracted from the scores of seen classes before the best score wins. A head prefers the classes it "
    "was trained on; δ makes up for this.",
    "seeds": "How often the head was trained, each time with other random numbers. The results are means.",
    "chosen by": "The rule that chose settings and δ, and the images it looked at.",
    "validated": "Settings and δ were chosen on training images only: a result.",
    "oracle": "Chosen on the test images themselves: an upper bound, not a result.",
    "not calibrated": "Without δ, since no validation chose one.",
    "published": "As printed in the paper.",
    "95 % interval": "Where the number would mostly lie if other classes (and other seeds) had been drawn.",
}


def term(name: str, text: str | None = None) -> Markup:
    """A term, or `text` instead of it, with its explanation as a tooltip."""
    return el("abbr", name if text is None else text, title=TERMS[name])


def glossary() -> Markup:
    """All terms in a box that opens."""
    pairs = [(el("dt", name), el("dd", meaning)) for name, meaning in TERMS.items()]
    return el("details", el("summary", "What the terms mean"), el("dl", pairs), class_="terms")
