"""Backbone, head and calibration as one torch module."""

import torch
from torch import Tensor, nn

from zslpipe.backbones.engine import Engine, EngineGraph
from zslpipe.errors import InputError
from zslpipe.serving.predictor import Predictor
from zslpipe.store.rows import IMAGE

INPUTS, OUTPUTS = ("pixels", "semantics", "seen"), ("scores", "probabilities")


class WholeModel(nn.Module):
    """Pixels (B, H, W, 3) uint8, semantics (C, A) and seen (C,) bool to scores and probabilities (B, C).

    Features are rounded to the type in which the store of the run holds them, since the head was trained on that. The
    scores are calibrated: δ is subtracted from those of seen classes.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Raises `InputError` if the backbone or the head of the run cannot be exported."""
        super().__init__()
        self.taps = predictor.images.taps
        self.backbone = None if self.taps == (IMAGE,) else _graph(predictor)
        self.head = predictor.head.graph()
        self.stored = getattr(torch, predictor.images.provenance["fingerprinted"].get("dtype", "float16"))
        self.delta = predictor.delta or 0.0
        self.temperature = predictor.confidence.temperature if predictor.confidence else 1.0
        self.cpu()  # a head is loaded on the GPU if there is one; it moves with its graph

    def forward(self, pixels: Tensor, semantics: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        if self.backbone is None:
            features = {IMAGE: pixels.float()}
        else:
            rounded = [tap.to(self.stored).float() for tap in self.backbone(pixels)]
            features = dict(zip(self.taps, rounded))
        scores = self.head(features, semantics, seen) - self.delta * seen.float()
        return scores, (scores / self.temperature).softmax(1)


def _graph(predictor: Predictor) -> nn.Module:
    engine = getattr(predictor.images.backbone, "engine", None)
    if not isinstance(engine, Engine):
        raise InputError(
            f"the backbone of run {predictor.name} is not a torch module that zslpipe runs itself, so it cannot be "
            "exported: export a run on a timm backbone."
        )
    return EngineGraph(engine)
