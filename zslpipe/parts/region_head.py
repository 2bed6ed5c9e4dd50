"""Semantic predictors whose attributes attend to regions."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from zslpipe.errors import InputError
from zslpipe.parts.problem import Attributes
from zslpipe.parts.semantic_head import S, SemanticHead, TapNet
from zslpipe.store.rows import Features


class LookingNet(TapNet):
    """A network with attention over regions for each attribute."""

    @abstractmethod
    def attention(self, regions: Tensor) -> Tensor:
        """(B, R, A) attention of each attribute to regions (B, R, C)."""


@dataclass
class RegionHead(SemanticHead[S]):
    """A semantic predictor that can show where its attributes look."""

    taps = ("region",)

    def check_words(self, attributes: Attributes | None) -> None:
        """Raise `InputError` unless there are word vectors."""
        if attributes is None or attributes.vectors is None:
            raise InputError(
                f"{self.name} needs word vectors of the attributes, but this benchmark has none: "
                "add them to the dataset or use another head."
            )

    def attention(self, features: Features) -> np.ndarray:
        """(N, R, A) float32: attention of each attribute to each region of the images; sums to one over regions.

        Raises:
            InputError: if the head was trained without regions.
        """
        net = self.module_.net
        if not isinstance(net, LookingNet):
            raise InputError(f"{self.name} was trained without regions, so it has no attention to show.")
        return self.in_batches(features, lambda inputs: net.attention(net.read(inputs)))
