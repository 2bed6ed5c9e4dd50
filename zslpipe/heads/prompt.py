"""Two-tower classification: the class whose text is nearest to the image (Radford et al., ICML 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zslpipe.errors import InputError
from zslpipe.parts.head import Head, Scorer, register
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.parts.projections import projected
from zslpipe.parts.scaling import unit_rows
from zslpipe.parts.settings import Positive
from zslpipe.store.rows import blocks
from zslpipe.training.placed import check_finite

if TYPE_CHECKING:
    from torch import nn


@register("prompt")
@dataclass
class Prompt(Head):
    """scale cos(x, s_c) of the image embedding x and the text embedding s_c of a class; nothing is learnt.

    Needs features and semantics of the two towers of one model: `extract --backbone open_clip/MODEL.TAG --taps
    embedding` and `train-head prompt --semantics prompts`. Only δ and the temperature are chosen, by validation.
    """

    taps = ("embedding",)

    scale: Positive = 100.0  # CLIP's temperature is 1/100; it does not change which class is nearest

    def learn(self, data: TrainingData) -> None:
        width, attributes = self.problem_.width("embedding"), data.semantics.shape[1]
        if width != attributes:
            raise InputError(
                f"{self.name} compares embeddings of width {width} with semantics of width {attributes}: give "
                "--semantics prompts on a store of an open_clip backbone."
            )
        for start, x in blocks(data.features["embedding"]):
            check_finite("embedding", x, start)

    def scorer(self, classes: Classes) -> Scorer:
        texts, scale = unit_rows(np.asarray(classes.semantics, np.float32)).T, np.float32(self.scale)
        return lambda features: projected(
            features["embedding"], texts.shape[1], lambda x: scale * (unit_rows(x) @ texts)
        )

    def graph(self) -> "nn.Module":
        from zslpipe.parts.closed_graphs import CosineGraph

        return CosineGraph("embedding", self.scale)

    def state(self) -> dict[str, np.ndarray]:
        return {"attributes": np.array([self.problem_.attributes])}  # a file must hold something

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Nothing was learnt."""
