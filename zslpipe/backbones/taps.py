"""The taps of a timm model: `global`, `region` and `trunk` features of one forward pass."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zslpipe.errors import InputError
from zslpipe.registry import unknown

TAPS = ("global", "region", "trunk")

Grid = tuple[int, int]  # (height, width)


class TapModule(nn.Module):
    """A model that returns several features of a batch.

    Attributes:
        model: the network.
        shapes: tap name to its shape per image, in the order of the outputs.
        grids: tap name to the grid of its features; None for features without one, or an unknown one.
    """

    model: Any
    shapes: dict[str, tuple[int, ...]]
    grids: dict[str, Grid | None]


class Taps(TapModule):
    """A timm model that returns the taps of a batch, in the order of `taps`.

    global (B, D): what the model pools for its classifier.
    region (B, R, D): the last feature map row by row, or the patch tokens without class and register tokens.
    trunk (B, H, W, D'): the last feature map of a finer grid than the final one, which is the input of the last stage
    of a convolutional network.
    """

    def __init__(self, model: Any, taps: Sequence[str], example: Tensor) -> None:
        """`example` (1, 3, H, W) is run once to get the shapes."""
        super().__init__()
        self.model = model  # an nn.Module with timm's forward_features, forward_head, ...
        self.taps = tuple(taps)
        self.prefix_tokens = int(getattr(model, "num_prefix_tokens", 0) or 0)
        with torch.inference_mode():
            self.trunk_index = self._find_trunk(example) if "trunk" in self.taps else None
            final, trunk = self._features(example)
            outputs = {tap: self._tap(tap, final, trunk) for tap in self.taps}
        self.shapes = {tap: tuple(out.shape[1:]) for tap, out in outputs.items()}
        known: dict[str, Grid | None] = {"region": self._region_grid(final, example), "trunk": None}
        if trunk is not None:
            known["trunk"] = (trunk.shape[-2], trunk.shape[-1])
        self.grids = {tap: known.get(tap) for tap in self.taps}

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        final, trunk = self._features(images)
        return tuple(self._tap(tap, final, trunk) for tap in self.taps)

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.trunk_index is None:
            return self.model.forward_features(images), None
        final, (trunk,) = self.model.forward_intermediates(images, indices=[self.trunk_index])
        return final, trunk

    def _tap(self, tap: str, final: Tensor, trunk: Tensor | None) -> Tensor:
        if tap == "global":
            return self.model.forward_head(final, pre_logits=True)
        if tap == "region":
            return final[:, self.prefix_tokens :] if final.ndim == 3 else self._channels_last(final).flatten(1, 2)
        assert trunk is not None
        return trunk.permute(0, 2, 3, 1)

    def _channels_last(self, final: Tensor) -> Tensor:
        if final.ndim != 4:
            raise InputError(f"the features of this backbone have shape {tuple(final.shape)}: no region features.")
        # Models such as Swin are channels last themselves.
        return final.permute(0, 2, 3, 1) if final.shape[1] == self.model.num_features else final

    def _region_grid(self, final: Tensor, example: Tensor) -> Grid | None:
        if final.ndim == 4:
            height, width = self._channels_last(final).shape[1:3]
            return height, width
        patches: Any = getattr(self.model, "patch_embed", None)
        if final.ndim != 3 or not hasattr(patches, "dynamic_feat_size"):
            return None
        height, width = patches.dynamic_feat_size(example.shape[-2:])
        # Models with several stages merge patches, so that fewer tokens than patches are left.
        return (height, width) if height * width == final.shape[1] - self.prefix_tokens else None

    def _find_trunk(self, example: Tensor) -> int:
        if not hasattr(self.model, "forward_intermediates"):
            raise InputError("this backbone has no intermediate feature maps: leave out the tap 'trunk'.")
        final, maps = self.model.forward_intermediates(example)
        grid = maps[-1].shape[-2] * maps[-1].shape[-1]
        finer = [i for i, m in enumerate(maps) if m.ndim == 4 and m.shape[-2] * m.shape[-1] > grid]
        if final.ndim != 4 or not finer:
            raise InputError("only convolutional backbones have a last stage: leave out the tap 'trunk'.")
        return finer[-1]


def check_taps(taps: Sequence[str]) -> tuple[str, ...]:
    """`taps` in the order of TAPS, each once.

    Raises:
        InputError: if there are none, or one does not exist.
    """
    if not taps:
        raise InputError(f"no taps given: choose from {', '.join(TAPS)}.")
    for tap in taps:
        if tap not in TAPS:
            raise unknown("tap", tap, TAPS)
    return tuple(tap for tap in TAPS if tap in taps)
