"""A trained head that names new images: calibrated scores, probabilities and, if asked, "none of these"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from zslpipe.data.new_classes import NewClasses, read_new_classes, read_new_texts
from zslpipe.data.texts import Encode
from zslpipe.errors import InputError
from zslpipe.evaluation.confidence import Confidence, calibrated
from zslpipe.parts.head import Head, Scorer
from zslpipe.parts.problem import Classes
from zslpipe.serving.new_images import AnyImage, ImageFeatures, name_of
from zslpipe.store.failure import Failure
from zslpipe.store.rows import Features


@dataclass(frozen=True, eq=False)
class ClassList:
    """The classes that an image can be named as.

    Attributes:
        names: (C,).
        semantics: (C, A).
        seen: (C,) bool, which of them have training images.
        new: (C,) bool, which of them were added after training.
        attribute_names: (A,).
    """

    names: tuple[str, ...]
    semantics: np.ndarray
    seen: np.ndarray
    new: np.ndarray
    attribute_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def kind(self, c: int) -> str:
        return "seen" if self.seen[c] else "new" if self.new[c] else "unseen"

    def plus(self, more: NewClasses) -> "ClassList":
        """With more classes, which are unseen."""
        count = len(more.names)
        return replace(
            self,
            names=(*self.names, *more.names),
            semantics=np.concatenate([self.semantics, more.semantics]),
            seen=np.append(self.seen, np.zeros(count, bool)),
            new=np.append(self.new, np.ones(count, bool)),
        )


@dataclass(frozen=True)
class Candidate:
    """A class that an image may be of.

    Attributes:
        name: of the class.
        kind: "seen", "unseen" or "new" (unseen, and added after training).
        score: calibrated: δ is subtracted from the scores of seen classes.
        probability: among all classes; None if the run has no temperature.
    """

    name: str
    kind: str
    score: float
    probability: float | None

    @property
    def text(self) -> str:
        """The probability in whole percent, which never claims to be certain; the score if there is none."""
        if self.probability is None:
            return f"score {self.score:.3g}"
        if self.probability > 0.995:
            return "> 99 %"
        return "< 1 %" if self.probability < 0.005 else f"{100 * self.probability:.0f} %"

    def as_json(self) -> dict[str, Any]:
        about = {"class": self.name, "kind": self.kind, "seen": self.kind == "seen"}
        return {**about, "score": self.score, "probability": self.probability}


@dataclass(frozen=True)
class Prediction:
    """What a head says of one image.

    Attributes:
        image: its path.
        candidates: the classes with the highest calibrated scores, best first; empty if the image cannot be read.
        known: whether the head is sure enough that it is one of the classes; None if the run has no threshold.
        error: why the image cannot be read; empty if it can.
    """

    image: str
    candidates: tuple[Candidate, ...] = ()
    known: bool | None = None
    error: str = ""

    @property
    def name(self) -> str | None:
        """The name of the best class, None if the image cannot be read."""
        return self.candidates[0].name if self.candidates else None

    def without_verdict(self) -> "Prediction":
        """Always one of the classes."""
        return replace(self, known=None)

    def as_json(self) -> dict[str, Any]:
        if self.error:
            return {"image": self.image, "error": self.error}
        return {"image": self.image, "known": self.known, "classes": [one.as_json() for one in self.candidates]}


class Timed(NamedTuple):
    """Predictions, and how many images a second went from decoding to ranking."""

    predictions: list[Prediction]
    rate: float


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained head with its classes, its calibration and its backbone; `zslpipe.load` makes one of a run.

    Attributes:
        name: of the run.
        head: fitted.
        classes: the candidates.
        delta: subtracted from the scores of seen classes; None for none.
        confidence: chosen by validation; None if the run has none: there are no probabilities then.
        images: makes features of images.
        encode: makes semantics of texts; None if those of the run do not come from words.
    """

    name: str
    head: Head
    classes: ClassList
    delta: float | None
    confidence: Confidence | None
    images: ImageFeatures
    encode: Encode | None = None

    def with_classes(self, table: str | Path) -> "Predictor":
        """A predictor with more candidates: unseen classes that a CSV file describes by the same attributes.

        If the semantics come from words, the file has the columns class and text instead.

        Raises:
            InputError: if an attribute is missing or a value is not a number.
        """
        known = self.classes
        if self.encode is not None:
            return replace(self, classes=known.plus(read_new_texts(Path(table), known.names, self.encode)))
        return replace(self, classes=known.plus(read_new_classes(Path(table), *self._described)))

    @property
    def _described(self) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
        return self.classes.names, self.classes.semantics, self.classes.attribute_names

    @cached_property
    def _scorer(self) -> Scorer:
        return self.head.bind(Classes(self.classes.semantics, self.classes.seen))

    def scores(self, features: Features) -> np.ndarray:
        """(N, C) calibrated scores of N images."""
        return calibrated(self._scorer(features), self.classes.seen, self.delta)

    def predict(
        self,
        images: AnyImage | Sequence[AnyImage],
        top: int = 5,
        *,
        batch_size: int = 32,
        workers: int | None = None,
    ) -> list[Prediction]:
        """Name images; those that cannot be read are told by `error`.

        Args:
            images: files, opened PIL images or arrays (H, W, 3) uint8; one or several.
            top: number of classes to tell for each image.
            batch_size: images per forward pass.
            workers: decoding threads; one per core by default.

        Raises:
            InputError: if the features of the run's store were not extracted from images, or its backbone has changed.
        """
        several = [images] if isinstance(images, str | Path | Image.Image | np.ndarray) else images
        return self.timed(several, top, batch_size=batch_size, workers=workers).predictions

    def timed(
        self, images: Sequence[AnyImage], top: int = 5, *, batch_size: int = 32, workers: int | None = None
    ) -> Timed:
        """`predict`, with the rate."""
        several = list(images)
        if top < 1:
            raise InputError(f"top must be >= 1, not {top}.")
        done: dict[int, Prediction] = {}

        def consume(rows: range, features: dict[str, np.ndarray], failures: dict[int, Failure]) -> None:
            readable = [row for row in rows if row not in failures]
            names = [name_of(several[row], row) for row in readable]
            part = {tap: values[np.array(readable, int) - rows.start] for tap, values in features.items()}
            done.update(zip(readable, self.rank(names, part, top), strict=True))
            for row, failure in failures.items():
                done[row] = Prediction(name_of(several[row], row), error=failure.error)

        rate = self.images.each(several, consume, batch_size, workers).rate if several else 0.0
        return Timed([done[row] for row in range(len(several))], rate)

    def rank(self, names: Sequence[str], features: Features, top: int = 5) -> list[Prediction]:
        """Name images (N,) by their features."""
        if not names:
            return []
        scores = self.scores(features)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        sure = self.confidence
        chances = None if sure is None else sure.probabilities(scores)
        known = [None] * len(names) if sure is None else sure.accepts(scores).tolist()

        def candidate(row: int, c: int) -> Candidate:
            chance = None if chances is None else float(chances[row, c])
            return Candidate(self.classes.names[c], self.classes.kind(c), float(scores[row, c]), chance)

        return [
            Prediction(name, tuple(candidate(row, c) for c in best[row].tolist()), known[row])
            for row, name in enumerate(names)
        ]
