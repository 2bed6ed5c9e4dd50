"""Where features leave a timm model: `global`, `region` and `trunk`, all from one pass."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from zslpipe.errors import InputError

TAPS = ("global", "region", "trunk")


class Taps(nn.Module):
    """A timm model that returns the asked taps of a batch, in the order asked.

    global (B, D): what the model pools for its classifier. region (B, R, D): the last feature map row by row, or
    the patch tokens without class and register tokens. trunk (B, H*W, D'): the last map of finer grid than the
    final one, which is what the last stage of a convolutional network reads.
    """

    def __init__(self, model: Any, taps: Sequence[str], example: Tensor) -> None:
        """`example` (1, 3, H, W) is passed through once to see the model's shapes."""
        super().__init__()
        self.model: Any = model  # an nn.Module with timm's forward_features, forward_head, ...
        self.taps = tuple(taps)
        self.prefix_tokens = int(getattr(model, "num_prefix_tokens", 0) or 0)
        self.trunk_index: int | None = None
        if "trunk" in self.taps:
            self.trunk_index = self._find_trunk(example)
        with torch.inference_mode():
            outputs = self(example)
        self.shapes = {tap: tuple(out.shape[1:]) for tap, out in zip(self.taps, outputs)}

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        if self.trunk_index is None:
            final = self.model.forward_features(images)
        else:
            final, (trunk,) = self.model.forward_intermediates(images, indices=[self.trunk_index])
        out = []
        for tap in self.taps:
            if tap == "global":
                out.append(self.model.forward_head(final, pre_logits=True))
            elif tap == "region":
                out.append(self._regions(final))
            else:
                out.append(trunk.flatten(2).transpose(1, 2))
        return tuple(out)

    def _regions(self, final: Tensor) -> Tensor:
        if final.ndim == 3:
            return final[:, self.prefix_tokens :]
        if final.ndim == 4 and final.shape[1] == self.model.num_features:
            return final.flatten(2).transpose(1, 2)
        if final.ndim == 4:
            return final.flatten(1, 2)  # models such as Swin keep channels last themselves
        raise InputError(f"this backbone's features have shape {tuple(final.shape)}, which holds no regions.")

    def _find_trunk(self, example: Tensor) -> int:
        if not hasattr(self.model, "forward_intermediates"):
            raise InputError("this backbone gives no intermediate activations: leave out the tap 'trunk'.")
        with torch.inference_mode():
            final, maps = self.model.forward_intermediates(example)
        grid = maps[-1].shape[-2] * maps[-1].shape[-1]
        finer = [i for i, m in enumerate(maps) if m.ndim == 4 and m.shape[-2] * m.shape[-1] > grid]
        if final.ndim != 4 or not finer:
            raise InputError("only convolutional backbones have a last stage to tap before: leave out 'trunk'.")
        return finer[-1]


def check_taps(taps: Sequence[str]) -> tuple[str, ...]:
    """`taps` in the order of TAPS, each once; a InputError names one that does not exist."""
    for tap in taps:
        if tap not in TAPS:
            raise InputError(f"there is no tap '{tap}': choose among {', '.join(TAPS)}.")
    if not taps:
        raise InputError(f"no tap was asked for: choose among {', '.join(TAPS)}.")
    return tuple(tap for tap in TAPS if tap in taps)
