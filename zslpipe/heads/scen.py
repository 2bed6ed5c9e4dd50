"""SCEN: the semantic-compression embedding of SC-EGG, a head of its own (stages 1 and 2 of the paper)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from zslpipe.losses import unit
from zslpipe.parts.embedding_stages import EmbeddingSettings, EmbeddingTraining
from zslpipe.parts.head import register
from zslpipe.parts.own_learner import OwnLearner, cast_to
from zslpipe.parts.problem import Attributes, Problem
from zslpipe.parts.semantic_compression import EmbeddingNet
from zslpipe.parts.settings import Count, Positive
from zslpipe.parts.task import Inputs, Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import Features
from zslpipe.training import Stage
from zslpipe.training.placed import Placed


@register("scen")
@dataclass
class Scen(OwnLearner, EmbeddingSettings, TorchHead[EmbeddingNet]):  # type: ignore[misc]  # fewer settings
    """Attributes attend to regions; classes are scored by their semantics (formulas: `parts/semantic_compression.py`).

        stage 1  L_LCE + L_GCE   cross-entropies of local scores p_l = <a, e> and global ones p_g = CLS_g(g)
        stage 2  L_SCR           |p_g - p_l|^2, which trains g and CLS_g only

    Scores are p_l, which exist for any class; stage 2 does not change them. `derive` stores g, on which other heads are
    trained. The paper trains 20 epochs of each stage on 14 x 14 regions of ResNet101.

    Args:
        epochs: of stage 1.
        learning_rate: of both stages.
    """

    taps = ("region",)
    only_in_training: ClassVar[tuple[str, ...]] = ("classifier.", "distilled.")

    epochs: Count = 20
    learning_rate: Positive = 1e-4

    def choose_taps(self, available: Collection[str], attributes: Attributes | None = None) -> tuple[str, ...]:
        taps = super().choose_taps(available, attributes)
        self.need_words(self.name, attributes)
        return taps

    def build(self, problem: Problem) -> EmbeddingNet:
        return EmbeddingNet(problem, self.reading)

    def prepare(self, module: EmbeddingNet, rows: Placed, task: Task) -> None:
        with torch.no_grad():
            module.words.copy_(unit(task.words))

    def stages(self, rows: Placed, labels: Tensor, task: Task) -> Iterator[Stage[Any]]:
        cast = cast_to(self.precision, task.semantics.device)
        training = EmbeddingTraining(
            self.module_, self, rows, labels, task, self.batch, self.learning_rate, self.seed, cast
        )
        yield from training.stages(self.epochs, "every")

    def terms(self, module: EmbeddingNet, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        raise NotImplementedError("its stages have losses of their own")

    def encode(self, module: EmbeddingNet, semantics: Tensor) -> Tensor:
        return unit(semantics)

    def scores(self, module: EmbeddingNet, inputs: Inputs, encoded: Tensor) -> Tensor:
        return local_embedding(module, inputs) @ encoded.T

    def embed(self, features: Features) -> np.ndarray:
        """(N, D) the dense-semantic features g."""
        return self.in_batches(features, lambda inputs: self.module_.dense(inputs["region"]))

    def attention(self, features: Features) -> np.ndarray:
        """(N, R, A) float32: attention of each attribute to each region of the images; sums to one over regions."""
        net = self.module_
        return self.in_batches(features, lambda inputs: net.attention(net.unit(inputs["region"])))

    def predict_semantics(self, features: Features) -> np.ndarray:
        """(N, A) the local embedding e of images; rows may have any scale."""
        return self.in_batches(features, lambda inputs: local_embedding(self.module_, inputs))

    def semantic_targets(self, semantics: np.ndarray) -> np.ndarray:
        """(C, A) targets of `predict_semantics`."""
        return semantics

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, A) what each attribute adds to the scores."""
        targets = unit(torch.from_numpy(self.check_semantics(semantics))).numpy()
        terms: np.ndarray = self.predict_semantics(features)[:, None] * targets
        return terms


def local_embedding(net: EmbeddingNet, inputs: Inputs) -> Tensor:
    """e (B, A)"""
    return net.local(net.unit(inputs["region"]))[0]
