"""Heads that classify by a softmax trained on real features of seen and synthetic features of unseen classes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from zslpipe.errors import InputError
from zslpipe.parts.head import Setting
from zslpipe.parts.settings import Count, Positive
from zslpipe.parts.softmax_classifier import train_softmax
from zslpipe.progress import say, ticking
from zslpipe.training import OwnRandom

OWN = ("synthetic", "classifier_epochs", "classifier_rate")  # settings that leave the generator as it is


@dataclass(frozen=True, eq=False)
class SeenFeatures:
    """What a head keeps of its training images, to train classifiers for any list of classes.

    Attributes:
        features: (n, D) as float16.
        labels: (n,) rows of `semantics`.
        semantics: (C, A) of all classes passed to `fit`.
    """

    features: np.ndarray
    labels: np.ndarray
    semantics: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray, semantics: np.ndarray, most: int) -> Self:
        """Of every class at most `most` images, evenly spread over its rows."""
        chosen = []
        for c in np.unique(labels):
            rows = np.flatnonzero(labels == c)
            chosen.append(rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))])
        index = np.sort(np.concatenate(chosen))
        return cls(features[index].astype(np.float16), labels[index].astype(np.int64), semantics)

    def rows_of(self, semantics: np.ndarray) -> np.ndarray:
        """(C,) the class of `fit` with these very semantics, -1 if it is new."""
        index = {row.tobytes(): c for c, row in reversed(list(enumerate(self.semantics)))}
        return np.array([index.get(row.tobytes(), -1) for row in semantics], np.int64)

    def state(self) -> dict[str, np.ndarray]:
        return {"seen.features": self.features, "seen.labels": self.labels, "seen.semantics": self.semantics}

    @classmethod
    def of_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        return cls(state["seen.features"], state["seen.labels"], state["seen.semantics"])


@dataclass(eq=False)
class Classifiers:
    """The classifiers of one generator that selection compares; settings that differ in epochs share a training.

    Attributes:
        wanted: number of synthetic features and learning rate to the epochs that will be asked for.
        trained: weights and bias by list of classes and settings.
    """

    wanted: Mapping[tuple[int, float], set[int]]
    trained: dict[Any, tuple[Tensor, Tensor]] = field(default_factory=dict)


@dataclass
class Synthesis:
    """Settings of the final classifier, and its training for a list of classes.

    A class is seen if it has the semantics of a training class; all others are synthesised.

    Args:
        synthetic: features made of each unseen class; also the batch of the classifier.
        classifier_epochs, classifier_rate: length and learning rate of its training.
        kept: at most so many images of each seen class are kept in the head, and used by the classifier.
    """

    synthetic: Count = 200
    classifier_epochs: Count = 10
    classifier_rate: Positive = 1e-3
    kept: Count = 200

    def fit_classifier(self, seen: SeenFeatures, semantics: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
        """Weights (C, D) and bias (C,) of the classifier for classes with these semantics (C, A)."""
        random: OwnRandom = OwnRandom(getattr(self, "seed"), device)  # noqa: B009 - every head of this kind has one
        order = np.array(sorted(range(len(semantics)), key=lambda c: semantics[c].tobytes()))  # equal for equal sets
        ranked = semantics[order]
        shared: Classifiers | None = getattr(self, "classifiers_", None)
        at_rate = self.synthetic, self.classifier_rate
        key = (ranked.tobytes(), *at_rate)
        found = shared.trained.get((*key, self.classifier_epochs)) if shared else None
        if found is None:
            wanted = (shared.wanted.get(at_rate, set()) if shared else set()) | {self.classifier_epochs}
            with random.active():
                x, labels, made = self._examples(seen, ranked, device)
                label = f"classifier of {len(ranked)} classes, {made} of them synthesised, epochs"
                with ticking(label, max(wanted)) as ticker:
                    steps = train_softmax(x, labels, len(ranked), max(wanted), self.synthetic, self.classifier_rate)
                    for epoch, (weight, bias) in enumerate(steps, 1):
                        ticker.advance()
                        if shared and epoch in wanted:
                            shared.trained[(*key, epoch)] = weight, bias
                        if epoch == self.classifier_epochs:
                            found = weight, bias
        assert found is not None
        back = torch.from_numpy(np.argsort(order)).to(device)
        return found[0][back], found[1][back]

    def _examples(self, seen: SeenFeatures, semantics: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, int]:
        """Features (n, D) and labels (n,) of real and synthetic images of the classes; how many are synthesised."""
        rows = seen.rows_of(semantics)
        if new := int((rows < 0).sum()):
            say(f"{new} of {len(rows)} classes are new: their features are synthesised and the classifier is refitted.")
        trained = np.isin(rows, seen.labels)
        place = np.full(len(seen.semantics), -1)
        place[rows[trained]] = np.flatnonzero(trained)
        labels = place[seen.labels]
        real = torch.from_numpy(seen.features[labels >= 0]).to(device).float()
        unseen = np.flatnonzero(~trained)
        made = self.synthesise(semantics[unseen], self.synthetic).to(device) if len(unseen) else real[:0]
        x = self.transform(torch.cat([real, made]))
        of_made = np.repeat(unseen, self.synthetic)
        y = torch.from_numpy(np.concatenate([labels[labels >= 0], of_made])).to(device)
        return x, y, len(unseen)

    def graph(self) -> nn.Module:
        name = getattr(self, "name", "this head")
        raise InputError(
            f"{name} trains a classifier for every list of classes, so their semantics cannot be an input of an "
            "exported model: export another head."
        )

    def synthesise(self, semantics: np.ndarray, each: int) -> Tensor:
        """(C * each, D) synthetic features of classes, class by class, from torch's random state."""
        raise NotImplementedError

    def transform(self, x: Tensor) -> Tensor:
        """The classifier's input for features (N, D)."""
        return x


def split_settings(candidates: Sequence[Setting]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The distinct settings of the generator and of the classifier in a list of candidates."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = [], []
    for candidate in candidates:
        for kind, found in enumerate(parts):
            part = {k: v for k, v in candidate.items() if (k in OWN) == bool(kind)}
            if part not in found:
                found.append(part)
    return parts


def with_classifiers(head: Any, setting: Setting, own: Sequence[Setting]) -> Iterator[tuple[dict[str, Any], Any]]:
    """A fitted head with each of the classifier's settings; see `Classifiers`."""
    wanted: dict[tuple[int, float], set[int]] = {}
    for part in own:
        params = {**head.get_params(), **part}
        wanted.setdefault((params["synthetic"], params["classifier_rate"]), set()).add(params["classifier_epochs"])
    shared = Classifiers(wanted)
    for part in own:
        full = {**setting, **part}
        other = head.with_params(**full)
        vars(other).update({k: v for k, v in vars(head).items() if k.endswith("_") and k not in other.get_params()})
        other.classifiers_ = shared
        yield full, other
