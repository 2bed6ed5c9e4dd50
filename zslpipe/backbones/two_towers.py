"""The image and the text tower of an open_clip model: a backbone, and semantics of classes from prompts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zslpipe.backbones.engine import check_precision
from zslpipe.backbones.open_clip_models import Model, create_open_clip, library
from zslpipe.backbones.taps import Grid, TapModule
from zslpipe.backbones.timm_backbone import TorchBackbone
from zslpipe.backbones.transform import Transform
from zslpipe.backbones.weights import content_hash, first_line
from zslpipe.devices import pick_device
from zslpipe.errors import InputError
from zslpipe.progress import track
from zslpipe.registry import unknown

TAPS = ("embedding", "global", "region")
MODES = {"shortest": "center", "squash": "squash", "longest": "border"}  # open_clip's names to timm's
BATCH = 64  # texts at a time


class ImageTower(TapModule):
    """The image tower with its taps.

    embedding (B, D): of unit length, in the space of the text tower.
    global (B, D): the same before it is scaled, for heads that read `global`.
    region (B, R, D'): the last feature map or the patch tokens, normalised as those that are pooled.
    """

    def __init__(self, visual: nn.Module, taps: Sequence[str], example: Tensor) -> None:
        super().__init__()
        self.model, self.names = visual, tuple(taps)
        with torch.inference_mode():
            outputs = self(example)
            grid = self._grid(example) if "region" in self.names else None
        self.shapes = {tap: tuple(out.shape[1:]) for tap, out in zip(self.names, outputs)}
        self.grids = {tap: grid if tap == "region" else None for tap in self.names}

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        found: dict[str, Tensor] = {}
        if "region" in self.names:
            whole, last = self._map(images)
            found["region"] = last.flatten(2).transpose(1, 2)
        else:
            whole = self.model(images)
        if isinstance(whole, tuple):  # CoCa also returns its tokens
            whole = whole[0]
        found |= {"global": whole, "embedding": F.normalize(whole, dim=-1)}
        return tuple(found[name] for name in self.names)

    def _grid(self, example: Tensor) -> Grid:
        height, width = self._map(example)[1].shape[-2:]
        return height, width

    def _map(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D) and the last map (B, D', h, w)."""
        out: dict[str, Any] = self.model.forward_intermediates(
            images, indices=1, normalize_intermediates=True, output_fmt="NCHW"
        )
        return out["image_features"], out["image_intermediates"][-1]


def load_image_tower(
    name: str,
    weights: str | Path = "timm",
    image_size: int | tuple[int, int] | None = None,
    taps: Sequence[str] = TAPS,
    precision: str = "float32",
    device: str = "cpu",
    *,
    compile: bool = False,
    seed: int = 0,
) -> TorchBackbone:
    """`load_backbone` for open_clip models; `taps` are some of `TAPS`."""
    for tap in taps:
        if tap not in TAPS:
            raise unknown(f"tap of {name}", tap, TAPS)
    check_precision(precision, pick_device(device))
    model = create_open_clip(name, weights, image_size, seed).requires_grad_(False)
    transform = transform_of(model.visual)
    wanted = tuple(tap for tap in TAPS if tap in taps)
    try:
        module = ImageTower(model.visual, wanted, torch.zeros(1, 3, *transform.size)).eval()
    except (RuntimeError, AssertionError, AttributeError, TypeError) as error:
        raise InputError(f"{name} has no regions ({first_line(error)}): give --taps embedding,global.") from None
    return TorchBackbone(name, module, transform, precision=precision, device=device, compile=compile)


def transform_of(visual: Any) -> Transform:
    """The transform that belongs to an image tower."""
    config = visual.preprocess_cfg
    size = config["size"] if isinstance(config["size"], Sequence) else (config["size"],) * 2
    return Transform(
        size=(int(size[0]), int(size[1])),
        crop_pct=1.0,
        interpolation=config["interpolation"],
        mean=tuple(map(float, config["mean"])),
        std=tuple(map(float, config["std"])),
        mode=MODES[config["resize_mode"]],
    )


class TextTower:
    """Texts to vectors in the space of the image embeddings.

    Attributes:
        image_hash: of the weights of the image tower that belongs to it, as in the provenance of a store.
    """

    def __init__(self, name: str, weights: str | Path = "timm", seed: int = 0) -> None:
        self.model = create_open_clip(name, weights, seed=seed).requires_grad_(False)
        try:
            self.tokenizer = library().get_tokenizer(Model.of(name).architecture)
        except Exception as error:  # some are on the hub
            raise InputError(f"the tokenizer of {name} cannot be loaded ({first_line(error)}).") from None
        self.image_hash = content_hash(self.model.visual)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32 of N texts, of unit length."""
        parts = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
        rows = [
            self.model.encode_text(self.tokenizer(list(part)), normalize=True)
            for part in track(parts, "encoding texts", len(parts))
        ]
        return torch.cat(rows).float().numpy()

    def prompts(self, names: Sequence[str], templates: Sequence[str]) -> np.ndarray:
        """(C, D) of C names: the mean over templates such as "a photo of a {}.", scaled to unit length again."""
        filled = [template.format(name) for name in names for template in templates]
        mean = self(filled).reshape(len(names), len(templates), -1).mean(1)
        scaled: np.ndarray = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return scaled
