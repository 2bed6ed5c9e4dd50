"""Where a fitted head looks in an image: for its true and its strongest wrong classes, or for a class's attributes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import seen_mask
from zslpipe.parts.attends import AttendsByAttribute, AttendsByClass
from zslpipe.parts.head import Head
from zslpipe.store.rows import Features


@dataclass(frozen=True, eq=False)
class Look:
    """One thing that is looked for.

    Attributes:
        name: of the class or attribute.
        role: what it is to this image: "true class", "wrong class", "class" or "attribute".
        score: the class's calibrated score, or the attribute's value in the class's semantics.
        attention: (R,) shares over the regions, which sum to one.
    """

    name: str
    role: str
    score: float
    attention: np.ndarray

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "attention": [round(share, 6) for share in self.attention.tolist()]}


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a head made of one image.

    Attributes:
        image: its id.
        true: its class, None where it has none of the benchmark's.
        predicted: the class that won among all, calibrated.
        looks: what was looked for where, the most telling first.
    """

    image: str
    true: str | None
    predicted: str
    looks: tuple[Look, ...]

    def as_json(self) -> dict[str, Any]:
        about = {"image": self.image, "true": self.true, "predicted": self.predicted}
        return {**about, "looks": [look.as_json() for look in self.looks]}


def explain(
    head: Head,
    features: Features,
    benchmark: Benchmark,
    row: int,
    delta: float = 0.0,
    others: int = 3,
    classes: Sequence[int] = (),
) -> Explanation:
    """Look at one image through a fitted head.

    Args:
        head: one that attends by class or by attribute.
        features: rows of all images of the benchmark.
        benchmark: with the semantics that the head was fitted with.
        row: of the image.
        delta: calibrated stacking, taken off the scores of seen classes.
        others: how many wrong classes to show beside the true one, the strongest first; a head that attends by
            attribute shows one attribute more than that.
        classes: those to show beside the true one, instead of the strongest wrong ones; a head that attends by
            attribute shows the attributes of the first of them, instead of those of the true class.

    Raises:
        InputError: for a head without attention.
    """
    if not isinstance(head, AttendsByClass | AttendsByAttribute):
        raise InputError(
            f"{head.name} does not look at regions: explain a run of dense-attention-ae or attention-net instead."
        )
    one = {tap: features[tap][row : row + 1] for tap in head_taps(head)}
    scores = head.decision_function(one, benchmark.semantics)[0] - delta * seen_mask(benchmark)
    ranked = np.argsort(-scores, kind="stable")
    label = int(benchmark.labels[row])
    true = label if label >= 0 else None
    if isinstance(head, AttendsByClass):
        wrong = [c for c in (classes or ranked.tolist()) if c != true]
        count = len(wrong) if classes else others + (true is None)
        looks = _by_class(head, one, benchmark, scores, true, wrong[:count])
    else:
        shown = classes[0] if classes else int(ranked[0]) if true is None else true
        looks = _by_attribute(head, one, benchmark, shown, others + 1)
    names = benchmark.class_names
    return Explanation(benchmark.image_ids[row], None if true is None else names[true], names[ranked[0]], looks)


def head_taps(head: Head) -> tuple[str, ...]:
    """The taps that a fitted head reads."""
    return tuple(getattr(head, "taps_", head.taps))


def _by_class(
    head: AttendsByClass,
    one: Features,
    benchmark: Benchmark,
    scores: np.ndarray,
    true: int | None,
    wrong: list[int],
) -> tuple[Look, ...]:
    chosen = wrong if true is None else [true, *wrong]
    attention = head.class_attention(one, benchmark.semantics[chosen])[0]  # (chosen, R)
    roles = {c: "class" if true is None else "true class" if c == true else "wrong class" for c in chosen}
    return tuple(Look(benchmark.class_names[c], roles[c], float(scores[c]), a) for c, a in zip(chosen, attention))


def _by_attribute(
    head: AttendsByAttribute, one: Features, benchmark: Benchmark, shown: int, count: int
) -> tuple[Look, ...]:
    """The attributes that set the class apart: those farthest above the mean of all classes."""
    semantics = benchmark.semantics
    attention = head.attention(one)[0]  # (R, A)
    chosen = np.argsort(-(semantics[shown] - semantics.mean(0)), kind="stable")[:count]
    names = benchmark.attribute_names
    return tuple(Look(names[a], "attribute", float(semantics[shown, a]), attention[:, a]) for a in chosen)
