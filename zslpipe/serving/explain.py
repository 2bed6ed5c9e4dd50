"""Why a fitted head names an image as it does: its best classes, what spoke for the first of them, where it looked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zslpipe.serving.attribute_estimate import AttributeEstimate, Estimate, estimate
from zslpipe.serving.chosen_maps import AttentionMap, maps
from zslpipe.serving.contrast import Contrast, contrast, without_photos
from zslpipe.serving.predictor import Candidate, Predictor
from zslpipe.store.rows import Features

RANKED = 5  # classes that are listed


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
    estimated = None
    if attributes is not None and rival is not None:
        estimated = estimate(attributes, features, candidates, ranked[0], rival)
    return Explanation(
        image=image,
        true=None if true is None else names[true],
        predicted=names[ranked[0]],
        candidates=_best(predictor, features, image, ranked, true),
        contrast=None if rival is None else contrast(predictor, features, scores, ranked[0], rival),
        estimate=estimated,
        maps=maps(without_photos(predictor.head), features, candidates, scores, ranked, true, others, classes),
    )


def _best(
    predictor: Predictor, features: Features, image: str, ranked: list[int], true: int | None
) -> tuple[Candidate, ...]:
    """The first classes, and the true one wherever it is."""
    (all_,) = predictor.rank([image], features, len(ranked))
    place = -1 if true is None else ranked.index(true)
    return (*all_.candidates[:RANKED], *([all_.candidates[place]] if place >= RANKED else []))
