"""Training the last layers of a backbone together with a head: what `mode` adds to every head trained by gradient.

The head itself reads `global` and `region` features as ever. They are made, batch by batch, by a tail that is trained
with it: from the stored `trunk`, or from images by way of a trunk that stays as it is.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from zslpipe.errors import InputError
from zslpipe.parts.made import MadeBatches, MadeRows
from zslpipe.parts.networks import model_of
from zslpipe.parts.settings import Positive, Share, Whole
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import IMAGE, Features
from zslpipe.training import Batch, Batches, RowBatches, Stage
from zslpipe.training.placed import Placed

if TYPE_CHECKING:  # imports timm, which cached features do without
    from zslpipe.backbones import Transform

SOURCES = {"tail": "trunk", "end-to-end": IMAGE}
MADE = ("global", "region", "trunk")
SCORED = 256  # images scored at a time

Inputs = Mapping[str, Tensor]


@dataclass
class FineTuningSettings:
    """Which layers of the backbone are trained with the head, and how.

    `tail_rate` and `batch_norm` were set on validation classes of 50 birds, for Adam at 0.001: with 0.1 and statistics
    that follow the batches, each epoch validates below frozen features.

    Args:
        mode: "cached" trains on stored features; "tail" also trains the backbone's last stage, from the stored tap
            `trunk`; "end-to-end" also trains its last layers, from augmented images.
        train_from: with "end-to-end", the first layer that is trained, such as layer3 or blocks.4; empty for the last
            stage. The layers before it keep their weights and statistics.
        tail_rate: learning rate of the backbone's layers as a factor of the head's.
        layer_decay: further factor for each block below the last one.
        warm_up: first epochs of a stage, in which the backbone's layers stay as they are. They read the stored taps,
            if there are such, and cost as little as "cached".
        batch_norm: whether the trained layers "train" the statistics of batch norm or keep them "frozen".
        recompute: forget activations and compute them again for the gradient (gradient checkpointing): slower, but
            needs less memory.
        augment: with "end-to-end", train on random crops and mirror images.
        workers: with "end-to-end", processes that decode images; 0 for none.
    """

    mode: Literal["cached", "tail", "end-to-end"] = "cached"
    train_from: str = ""
    tail_rate: Positive = 0.01
    layer_decay: Share = 1.0
    warm_up: Whole = 0
    batch_norm: Literal["train", "frozen"] = "frozen"
    recompute: bool = False
    augment: bool = True
    workers: Whole = 2


class Tuning:
    """Makes the taps that a head reads, by layers of a backbone that are trained with the head.

    Args:
        settings: of the head.
        backbone: how the features were made; see `Problem.backbone`.
        source: the tap that is read, `trunk` or `image`.
        taps: the taps to make.
        pretrained: whether the layers start from the backbone's weights.

    Attributes:
        tail: the layers that are trained.
        made: tap name to shape and grid.
    """

    def __init__(
        self,
        settings: FineTuningSettings,
        backbone: Mapping[str, Any],
        source: TapSpec,
        taps: Sequence[str],
        pretrained: bool = True,
    ) -> None:
        from zslpipe.backbones import split
        from zslpipe.backbones.tail_taps import TailTaps

        if settings.train_from and settings.mode == "tail":
            raise InputError("train_from is for the mode end-to-end: the stored trunk ends before the last stage.")
        self.settings, self.backbone, self.taps = settings, dict(backbone), tuple(taps)
        self.source = SOURCES[settings.mode]
        trunk, tail = split(model_of(backbone, pretrained), train_from=settings.train_from)
        if self.source == "trunk":
            example = torch.zeros(1, source.shape[-1], *source.shape[:2])
        else:
            with torch.no_grad():
                example = trunk(torch.zeros(1, 3, *source.shape[:2]))
            if pretrained:
                self.trunk = trunk.requires_grad_(False).eval()
        frozen = settings.batch_norm == "frozen"
        self.tail: TailTaps = TailTaps(tail, taps, example, frozen, settings.recompute)
        self.made = {tap: TapSpec(self.tail.shapes[tap], "float32", self.tail.grids[tap]) for tap in taps}

    @cached_property
    def trunk(self) -> nn.Module:
        """The layers before the tail, with the backbone's own weights, in evaluation mode."""
        from zslpipe.backbones import split

        trunk, _ = split(model_of(self.backbone, pretrained=True), train_from=self.settings.train_from)
        return trunk.requires_grad_(False).eval()

    @cached_property
    def transform(self) -> "Transform":
        from zslpipe.backbones import Transform

        return Transform.described(self.backbone["transform"])

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """The made taps (B, ...) of trunk rows (B, H, W, D') or of normalised images (B, 3, H, W)."""
        if self.source == "trunk":
            trunk = inputs["trunk"].permute(0, 3, 1, 2)
        else:
            with torch.no_grad():
                trunk = self.trunk.to(inputs[IMAGE].device)(inputs[IMAGE])
        return {tap: made.float() for tap, made in zip(self.taps, self.tail(trunk))}

    def made_rows(self, features: Features, device: torch.device) -> MadeRows:
        """The rows of the made taps."""
        warm = self.settings.warm_up and all(tap in features for tap in self.taps)
        stored = Placed(features, self.taps, device) if warm else None
        return MadeRows(self.rows(features, device), self, self.tail, self.taps, stored)

    def rows(self, features: Features, device: torch.device) -> Placed:
        """The rows that are read."""
        if self.source == "trunk":
            return Placed(features, ("trunk",), device)
        from zslpipe.training.images import ImageRows

        return ImageRows(features[IMAGE], self.transform, device)

    def groups(self, parameters: Any, rate: float) -> list[dict[str, Any]]:
        """Parameters, or groups of them, with those of the tail in groups with learning rates of their own."""
        given = [p if isinstance(p, dict) else {"params": [p]} for p in parameters]
        listed = {id(p) for group in given for p in group["params"]}
        own = {id(p) for p in self.tail.parameters()}
        rest = [{**group, "params": [p for p in group["params"] if id(p) not in own]} for group in given]
        single = [p for group in rest if group.keys() == {"params"} for p in group["params"]]
        groups = [group for group in rest if group.keys() != {"params"} and group["params"]]
        groups = [{"params": single}, *groups] if single else groups
        for factor, block in self.tail.rates(self.settings.layer_decay):
            if taken := [p for p in block if id(p) in listed]:
                groups.append({"params": taken, "lr": rate * self.settings.tail_rate * factor})
        return groups

    def stage(self, stage: Stage[Any], seed: int, cast: AbstractContextManager[Any]) -> Stage[Any]:
        """The stage with gradients for the tail, if it is trained there.

        Batches that a head draws in a way of its own are left as they are.
        """
        batches = stage.batches
        if not isinstance(batches, RowBatches) or not isinstance(batches.rows, MadeRows):
            return stage
        optimisers = stage.learner.optimisers.values()
        learnt = {id(p) for o in optimisers for group in o.param_groups for p in group["params"]}
        trains = any(id(p) in learnt for p in self.tail.parameters())
        made = MadeBatches(self._read(batches, seed), self, self.tail, trains, cast)
        if trains and self.settings.warm_up:
            stored = batches.rows.stored
            made.warm_up = self.settings.warm_up
            made.stored = None if stored is None else RowBatches(stored, batches.labels, batches.sampler)
        return replace(stage, batches=made)

    def _read(self, batches: RowBatches, seed: int) -> Batches[Batch]:
        """The same samples, of what the taps are made from."""
        assert isinstance(batches.rows, MadeRows)
        rows = batches.rows.read
        if self.source != IMAGE:
            return RowBatches(rows, batches.labels, batches.sampler)
        from zslpipe.training.images import ImageBatches, ImageRows, RandomCrop

        assert isinstance(rows, ImageRows)
        return ImageBatches(
            rows.paths,
            batches.labels.cpu().numpy(),
            batches.sampler,
            self.transform,
            augment=RandomCrop(self.transform) if self.settings.augment else None,
            workers=self.settings.workers,
            seed=seed,
            device=rows.device,
        )


def image_spec(backbone: Mapping[str, Any]) -> TapSpec:
    """Of the images that a backbone takes."""
    return TapSpec((*backbone.get("transform", {}).get("size", (0, 0)), 3), "uint8")
