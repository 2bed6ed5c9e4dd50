"""What extraction needs of a backbone."""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zslpipe.backbones.taps import Grid
from zslpipe.backbones.transform import Transform


@runtime_checkable
class Backbone(Protocol):
    """Images in, features out. `load_backbone` returns one.

    Attributes:
        taps: tap name to its shape per image, such as {"global": (2048,), "region": (49, 2048)}.
        grids: tap name to the (height, width) of its features; None for `global` and for an unknown grid.
        transform: turns a decoded image into the pixels that `__call__` takes.
        device: where the forward pass runs.
    """

    taps: dict[str, tuple[int, ...]]
    grids: dict[str, Grid | None]
    transform: Transform
    device: torch.device

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Tap name to features (B, *shape) on `device`, for a batch of images, uint8 (B, H, W, 3)."""
        ...

    def describe(self) -> dict[str, Any]:
        """Everything that changes the features, as JSON; the fingerprint of a store is a hash of it.

        With `"transform": self.transform.describe()` in it, `explain` shows the part of an image that was used.
        """
        ...
