"""Heads that predict semantics from an image and score classes by inner products with theirs."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.parts.task import Inputs, Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import Features

M = TypeVar("M", bound=nn.Module)  # tap name to features -> predicted semantics (B, A)


@dataclass
class InnerProductHead(TorchHead[M]):
    """Scores <a, phi(c)> of predicted semantics a (B, A) and class semantics phi, learnt by cross-entropy.

    Neither a temperature nor a norm is involved, so that the unit of the scores (and of delta) is the head's own. The
    origin of the semantics does not matter: moving it adds the same to all scores of an image.
    """

    def terms(self, module: M, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        return {"ce": F.cross_entropy(module(inputs).float() @ task.seen_semantics.T, labels)}

    def scores(self, module: M, inputs: Inputs, encoded: Tensor) -> Tensor:
        scored: Tensor = module(inputs) @ encoded.T
        return scored

    def embed(self, features: Features) -> np.ndarray:
        """(N, A) predicted semantics of images."""
        return self.predict_semantics(features)

    def predict_semantics(self, features: Features) -> np.ndarray:
        """(N, A) predicted semantics of images; rows may have any scale."""
        return self.in_batches(features, self.module_)

    def semantic_targets(self, semantics: np.ndarray) -> np.ndarray:
        """(C, A) targets of `predict_semantics` for images of these classes; rows may have any scale."""
        return semantics

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, A) what each attribute adds to the scores; see `SumsAttributes`."""
        return np.asarray(self.predict_semantics(features)[:, None] * self.check_semantics(semantics))
