"""The data that a head is trained on, and the shapes that it is built for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import Features


@dataclass(frozen=True)
class Attributes:
    """What is known about the columns of the semantics: names (A,) and, for attention, word vectors (A, W)."""

    names: tuple[str, ...]
    vectors: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes to choose from.

    Args:
        semantics: (C, A), one row per class.
        seen: (C,) bool, which of them have training images.
    """

    semantics: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.semantics)

    def only(self, mask: np.ndarray) -> "Classes":
        """The classes selected by the mask (C,)."""
        return Classes(self.semantics[mask], self.seen[mask])


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The checked arguments of `Head.fit`.

    Attributes:
        features: tap name to the rows (N, ...) of the training images.
        labels: (N,) int64 rows of `semantics`.
        semantics: (C, A) float32 of all classes, unseen ones included.
        attributes: about the columns of the semantics, None if nothing is known.
    """

    features: Features
    labels: np.ndarray
    semantics: np.ndarray
    attributes: Attributes | None = None


@dataclass(frozen=True)
class Problem:
    """The shapes that a module is built from.

    Attributes:
        taps: the taps that the head reads, with shape, dtype and grid.
        attributes: A, columns of the semantics.
        words: W, width of the attributes' word vectors, 0 if there are none.
        classes: C, the number of classes passed to `fit`.
        backbone: how the features were made, as their store's provenance describes it; empty if unknown.
        made_from: what the taps are made of by layers of the backbone that are trained with the head; empty if the
            taps are read as they are.
    """

    taps: Mapping[str, TapSpec]
    attributes: int
    words: int = 0
    classes: int = 0
    backbone: Mapping[str, Any] = field(default_factory=dict)
    made_from: Mapping[str, TapSpec] = field(default_factory=dict)

    @classmethod
    def of(cls, data: TrainingData, taps: Sequence[str]) -> Self:
        """The problem of training data for a head that reads these taps."""
        vectors = None if data.attributes is None else data.attributes.vectors
        return cls(
            taps={tap: spec_of(data.features, tap) for tap in taps},
            attributes=data.semantics.shape[1],
            words=0 if vectors is None else vectors.shape[1],
            classes=len(data.semantics),
            backbone=getattr(data.features, "backbone", {}),
        )

    @property
    def stored(self) -> Mapping[str, TapSpec]:
        """The taps that are read from features."""
        return self.made_from or self.taps

    def width(self, tap: str) -> int:
        """The width of the tap's vectors."""
        return self.taps[tap].shape[-1]

    def to_json(self) -> dict[str, Any]:
        return {
            "taps": {tap: spec.header() for tap, spec in self.taps.items()},
            "attributes": self.attributes,
            "words": self.words,
            "classes": self.classes,
            "backbone": dict(self.backbone),
            "made_from": {tap: spec.header() for tap, spec in self.made_from.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        specs = {
            field: {tap: TapSpec.from_header(spec) for tap, spec in values.get(field, {}).items()}
            for field in ("taps", "made_from")
        }
        return cls(**{**values, **specs})


def spec_of(features: Features, tap: str) -> TapSpec:
    """Shape, dtype and grid of a tap: from the features' store if there is one, else from the rows."""
    specs: Mapping[str, TapSpec] = getattr(features, "specs", {})
    return specs[tap] if tap in specs else TapSpec(tuple(features[tap].shape[1:]), str(features[tap].dtype))
