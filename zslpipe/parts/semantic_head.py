"""Heads that predict semantics from an image and choose the class at the smallest angle."""

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from zslpipe.losses import cosine_scores, sce, unit
from zslpipe.parts.regression import RegressionSettings, RegressionTerm
from zslpipe.parts.settings import Positive, Whole
from zslpipe.parts.task import Inputs, Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import Features
from zslpipe.training.placed import Placed

PROBED = 2048  # training images from whose features the scale is estimated


class TapNet(nn.Module):
    """A network that reads a tap, whose features it multiplies by `scale`."""

    scale: Tensor

    def __init__(self, tap: str) -> None:
        super().__init__()
        self.tap = tap
        self.register_buffer("scale", torch.ones(()))

    def read(self, inputs: Inputs) -> Tensor:
        """What the network is applied to."""
        return inputs[self.tap]


Net = TypeVar("Net", bound=TapNet, covariant=True)


class SemanticModule(nn.Module, Generic[Net]):
    """A network from features to semantics (B, A), the origin of the semantics, and the state of the loss."""

    net: Net
    semantic_centre: Tensor

    def __init__(self, net: Net, regression: RegressionTerm, attributes: int) -> None:  # type: ignore[misc]
        super().__init__()
        self.net, self.regression = net, regression
        self.register_buffer("semantic_centre", torch.zeros(attributes))

    def forward(self, inputs: Inputs) -> Tensor:
        predicted: Tensor = self.net(self.net.read(inputs))
        return predicted


S = TypeVar("S", bound=SemanticModule[TapNet])


@dataclass
class SemanticHead(RegressionSettings, TorchHead[S]):
    """scale * cos(predicted semantics, class semantics), learnt by SCE and a regression term.

    `centre_semantics` takes the mean of the seen classes' semantics as the origin of angles, which none of the papers
    does: semantics that share a large common part (sentence vectors) otherwise lie within a few degrees of each other.
    On validation classes, global branch, it is worth 2 to 3 points of H on CUB and costs half a point on 50 birds.
    `scale_features` divides a tap by its root mean square, so that one learning rate suits every backbone.
    """

    only_in_training: ClassVar[tuple[str, ...]] = ("regression.",)

    decay_every: Whole = 5
    scale: Positive = 20.0
    centre_semantics: bool = True
    scale_features: bool = True

    def prepare(self, module: S, rows: Placed, task: Task) -> None:
        module.regression.remember(len(task.seen))
        if self.centre_semantics:
            module.semantic_centre.copy_(task.seen_semantics.mean(0))
        if self.scale_features:
            rms = rows.root_mean_squares(PROBED)[module.net.tap]
            module.net.scale.fill_(1 / rms if rms > 0 else 1.0)

    def terms(self, module: S, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        predicted = module(inputs)
        return self.semantic_terms(module, predicted, predicted, labels, task)

    def semantic_terms(
        self, module: S, predicted: Tensor, regressed: Tensor, labels: Tensor, task: Task
    ) -> dict[str, Tensor]:
        """SCE of predicted semantics (B, A) and the weighted regression of those in `regressed` (B, A)."""
        semantics = task.seen_semantics - module.semantic_centre
        losses = {"sce": sce(predicted.float(), semantics, labels, self.scale)}
        if kind := module.regression.kind:
            losses[kind] = self.regression_weight * module.regression(regressed.float(), semantics[labels], labels)
        return losses

    def encode(self, module: S, semantics: Tensor) -> Tensor:
        return semantics - module.semantic_centre

    def scores(self, module: S, inputs: Inputs, encoded: Tensor) -> Tensor:
        return cosine_scores(module(inputs), encoded, self.scale)

    def embed(self, features: Features) -> np.ndarray:
        """(N, A) predicted semantics of images; rows may have any scale."""
        return self.predict_semantics(features)

    def predict_semantics(self, features: Features) -> np.ndarray:
        """(N, A) predicted semantics of images, with the origin of `semantic_targets`; rows may have any scale."""
        return self.in_batches(features, self.module_)

    def semantic_targets(self, semantics: np.ndarray) -> np.ndarray:
        """(C, A) targets of `predict_semantics` for images of these classes; rows may have any scale."""
        return semantics - self.module_.semantic_centre.cpu().numpy()

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, A) what each attribute adds to the scores; see `SumsAttributes`."""
        predicted = unit(torch.from_numpy(self.predict_semantics(features)))
        targets = unit(torch.from_numpy(self.semantic_targets(self.check_semantics(semantics))))
        terms: np.ndarray = (self.scale * predicted[:, None] * targets).numpy()
        return terms
