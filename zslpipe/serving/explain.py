"""Attention of a fitted head for one image: per class (true and strongest wrong classes) or per attribute."""

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
class AttentionMap:
    """The attention for one class or attribute.

    Attributes:
        name: name of the class or attribute.
        role: "true class", "wrong class", "class" or "attribute".
        score: the calibrated score of the class, or the value of the attribute in the semantics of the class.
        attention: (R,) shares over the regions; they sum to one.
    """

    name: str
    role: str
    score: float
    attention: np.ndarray

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "attention": [round(share, 6) for share in self.attention.tolist()]}


@dataclass(frozen=True, eq=False)
class Explanation:
    """The prediction of a head for one image, with its attention maps.

    Attributes:
        image: id of the image.
        true: its class, None if it has none.
        predicted: the class with the highest calibrated score among all classes.
        maps: attention maps, the most important first.
    """

    image: str
    true: str | None
    predicted: str
    maps: tuple[AttentionMap, ...]

    def as_json(self) -> dict[str, Any]:
        about = {"image": self.image, "true": self.true, "predicted": self.predicted}
        return {**about, "maps": [one.as_json() for one in self.maps]}


def explain(
    head: Head,
    features: Features,
    benchmark: Benchmark,
    row: int,
    delta: float = 0.0,
    others: int = 3,
    classes: Sequence[int] = (),
) -> Explanation:
    """Explain the prediction of a fitted head for one image.

    Args:
        head: a head with attention per class or per attribute.
        features: features of all images of the benchmark, by tap.
        benchmark: with the semantics that the head was fitted with.
        row: row of the image.
        delta: calibration, subtracted from the scores of seen classes.
        others: number of wrong classes to show besides the true one, strongest first. A head with attention per
            attribute shows `others` + 1 attributes.
        classes: classes to show besides the true one, instead of the strongest wrong ones. A head with attention per
            attribute shows the attributes of the first of them, instead of those of the true class.

    Raises:
        InputError: if the head has no attention.
    """
    if not isinstance(head, AttendsByClass | AttendsByAttribute):
        raise InputError(
            f"{head.name} has no attention over regions; explain a run of dense-attention-ae or attention-net instead."
        )
    one = {tap: features[tap][row : row + 1] for tap in head_taps(head)}
    scores = head.decision_function(one, benchmark.semantics)[0] - delta * seen_mask(benchmark)
    ranked = np.argsort(-scores, kind="stable")
    label = int(benchmark.labels[row])
    true = label if label >= 0 else None
    if isinstance(head, AttendsByClass):
        wrong = [c for c in (classes or ranked.tolist()) if c != true]
        count = len(wrong) if classes else others + (true is None)
        maps = _by_class(head, one, benchmark, scores, true, wrong[:count])
    else:
        shown = classes[0] if classes else int(ranked[0]) if true is None else true
        maps = _by_attribute(head, one, benchmark, shown, others + 1)
    names = benchmark.class_names
    return Explanation(benchmark.image_ids[row], None if true is None else names[true], names[ranked[0]], maps)


def head_taps(head: Head) -> tuple[str, ...]:
    """The taps used by a fitted head."""
    return tuple(getattr(head, "taps_", head.taps))


def _by_class(
    head: AttendsByClass,
    one: Features,
    benchmark: Benchmark,
    scores: np.ndarray,
    true: int | None,
    wrong: list[int],
) -> tuple[AttentionMap, ...]:
    chosen = wrong if true is None else [true, *wrong]
    attention = head.class_attention(one, benchmark.semantics[chosen])[0]  # (chosen, R)
    roles = {c: "class" if true is None else "true class" if c == true else "wrong class" for c in chosen}
    return tuple(
        AttentionMap(benchmark.class_names[c], roles[c], float(scores[c]), a) for c, a in zip(chosen, attention)
    )


def _by_attribute(
    head: AttendsByAttribute, one: Features, benchmark: Benchmark, shown: int, count: int
) -> tuple[AttentionMap, ...]:
    """Maps of the attributes whose value in the class is highest above the mean over all classes."""
    semantics = benchmark.semantics
    attention = head.attention(one)[0]  # (R, A)
    chosen = np.argsort(-(semantics[shown] - semantics.mean(0)), kind="stable")[:count]
    names = benchmark.attribute_names
    return tuple(AttentionMap(names[a], "attribute", float(semantics[shown, a]), attention[:, a]) for a in chosen)
