"""GFZSL's Gaussians as a generator: a softmax classifier is trained on images drawn from those of unseen classes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from zslpipe.devices import pick_device
from zslpipe.heads.gfzsl import Gfzsl
from zslpipe.parts.head import Head, Scorer, Setting, register
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.parts.projections import projected
from zslpipe.parts.synthesis import SeenFeatures, Synthesis, split_settings, with_classifiers
from zslpipe.store.rows import Features


@register("gfzsl-softmax")
@dataclass
class GfzslSoftmax(Synthesis, Gfzsl):
    """The Gaussians of `gfzsl` with the final classifier of generative heads: what a GAN adds to a closed form.

    The classifier reads whitened features. It is trained on those of seen classes, and on samples of unseen ones.

    Args:
        device: cpu, cuda, cuda:N, or auto for a GPU if there is one; for the classifier.
        synthetic, classifier_epochs, classifier_rate, kept: as in `tf-vaegan`.

    The other settings are those of `gfzsl`; the Gaussians are neither balanced nor used for scores.
    """

    separate_zsl: ClassVar[bool] = True
    balanced: ClassVar[bool] = False  # type: ignore[misc]
    attribute_differences = None  # type: ignore[assignment]  # of the Gaussians' scores, which are not used

    device: str = "auto"

    @classmethod
    def search_space(cls) -> Sequence[Setting]:
        grid = [{"gamma": g, "shrinkage": s} for g in (0.2, 0.4) for s in (1.0, 3.0)]
        own = [{"synthetic": n, "classifier_epochs": e} for n in (50, 200) for e in (3, 10)]
        return [{**one, **other} for one in grid for other in own]

    def learn(self, data: TrainingData) -> None:
        super().learn(data)
        self._keep(data)

    def learn_candidates(self, data: TrainingData, candidates: Sequence[Setting]) -> Iterator[tuple[Setting, Head]]:  # type: ignore[override]
        others, own = split_settings(candidates)
        kept = None
        for setting, head in super().learn_candidates(data, others):
            assert isinstance(head, GfzslSoftmax)
            if kept is None:
                head._keep(data)
                kept = head.seen_
            head.seen_ = kept
            yield from with_classifiers(head, setting, own)

    def _keep(self, data: TrainingData) -> None:
        """Keep images in the basis of the Gaussians, which does not depend on the settings that selection tries."""
        projected = self.gaussians_.scatter.project(data.features["global"])
        self.seen_ = SeenFeatures.of(projected, data.labels, data.semantics, self.kept)

    # --- classifier ---

    def synthesise(self, semantics: np.ndarray, each: int) -> Tensor:
        """Samples in the basis of the Gaussians."""
        drawn, _ = self.sample(semantics, each, self.seed)
        return torch.from_numpy(drawn * self._deviation())

    def transform(self, x: Tensor) -> Tensor:
        return x / torch.from_numpy(self._deviation()).to(x.device)

    # --- report ---

    def make_features(self, semantics: np.ndarray, each: int) -> np.ndarray:
        """(C, each, r) samples of the Gaussians, whitened; see `MakesFeatures`."""
        return self.sample(semantics, each, self.seed)[0].reshape(len(semantics), each, -1)

    def real_features(self, features: Features) -> np.ndarray:
        """(N, r) what the samples imitate."""
        return self.embed(features)

    # --- scores ---

    def _deviation(self) -> np.ndarray:
        deviation: np.ndarray = np.sqrt(self.gaussians_.scatter.shrunk(self.shrinkage)).astype(np.float32)
        return deviation

    def scorer(self, classes: Classes) -> Scorer:
        weight, bias = self.fit_classifier(self.seen_, classes.semantics, pick_device(self.device))
        weights, biases = weight.cpu().numpy().T, bias.cpu().numpy()
        scatter, deviation = self.gaussians_.scatter, self._deviation()
        return lambda features: projected(
            features["global"], len(biases), lambda x: scatter.project(x) / deviation @ weights + biases
        )

    # --- saved ---

    def state(self) -> dict[str, np.ndarray]:
        return {**super().state(), **self.seen_.state()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.seen_ = SeenFeatures.of_state(state)
        super().load_state(state)
