"""Features of images that no store has, made just as those of a store were made."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zslpipe.backbones import Backbone, Transform, load_backbone
from zslpipe.backbones.taps import Grid
from zslpipe.errors import InputError
from zslpipe.extract.decode import UnreadableImage, read_image, to_rgb
from zslpipe.extract.pipeline import DTYPES, ExtractionSummary, extract_images
from zslpipe.json_types import missing_or_mismatched
from zslpipe.store.failure import Failure
from zslpipe.store.provenance import backbone_name, describe_differences, difference
from zslpipe.store.rows import IMAGE

REQUEST: dict[str, Any] = {"backbone": str, "weights": str, "image_size": int | list[int] | None, "precision": str}

AnyImage = str | Path | Image.Image | np.ndarray  # a file, an opened image, or pixels (H, W, 3) uint8
BATCHES = 8  # batches whose features are handed over at a time


# Takes the features {tap: (rows, ...)} of consecutive images, and the reasons why some of them have none.
Consume = Callable[[range, dict[str, np.ndarray], dict[int, Failure]], None]


@dataclass(frozen=True)
class GivenImages:
    """Images given one by one, as files or in memory."""

    images: Sequence[AnyImage]
    transform: Transform

    def pixels(self, row: int) -> np.ndarray:
        return self.transform(opened(self.images[row]))

    def path(self, row: int) -> Path:
        return Path(name_of(self.images[row], row))


class Pixels:
    """The pixels themselves as features, for heads that load their backbone."""

    def __init__(self, transform: Mapping[str, Any]) -> None:
        self.transform, self.device = Transform.described(transform), torch.device("cpu")
        self.taps: dict[str, tuple[int, ...]] = {IMAGE: (*self.transform.size, 3)}
        self.grids: dict[str, Grid | None] = {IMAGE: None}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return {IMAGE: images.float()}  # whole numbers up to 255, exact in float16 too

    def describe(self) -> dict[str, Any]:
        return {"transform": self.transform.describe()}


@dataclass(frozen=True)
class ImageFeatures:
    """Runs the backbone of a store over new images.

    Args:
        provenance: of the store.
        taps: the features that are needed.
        device: where the backbone runs: auto, cpu, cuda, cuda:1, ...
        source: what messages call the store.
    """

    provenance: dict[str, Any]
    taps: tuple[str, ...]
    device: str = "auto"
    source: str = "the store"

    @cached_property
    def backbone(self) -> Backbone:
        """The store's backbone, loaded when it is first used; for a head that reads images only their transform.

        Raises:
            InputError: if no backbone made the features, or it does not make the same ones any more.
        """
        if self.taps == (IMAGE,):
            return Pixels(self.provenance["fingerprinted"].get("transform", {}))
        request = self.provenance["recorded"].get("request", {})
        if "backbone" not in request:
            raise InputError(
                f"{self.source} was not extracted from images, so features of new images cannot be made: extract the "
                "features of your dataset with zslpipe extract and train on those."
            )
        if wrong := missing_or_mismatched(request, REQUEST, {"compile": bool}):
            raise InputError(f"{self.source} does not record how it was extracted ({wrong}): extract it again.")
        size = request["image_size"]
        net = load_backbone(
            request["backbone"],
            request["weights"],
            tuple(size) if isinstance(size, list) else size,
            self.taps,
            request["precision"],
            self.device,
            compile=request.get("compile", False),
        )
        self._check_same(net)
        return net

    @property
    def stored(self) -> str:
        """The dtype of the features in the store."""
        dtype = str(self.provenance["fingerprinted"].get("dtype", "float16"))
        if dtype not in DTYPES:
            raise InputError(
                f"{self.source} does not record the type of its features ('{dtype[:40]}'): extract it again."
            )
        return dtype

    def _check_same(self, net: Backbone) -> None:
        """Raise `InputError` unless the backbone is described as in the store: weights, transform, precision, taps."""
        now = json.loads(json.dumps(net.describe()))
        then = {key: value for key, value in self.provenance["fingerprinted"].items() if key in now}
        for described in (now, then):
            if isinstance(described.get("taps"), dict):
                described["taps"] = {tap: described["taps"].get(tap) for tap in self.taps}
        found = difference({"fingerprinted": then}, {"fingerprinted": now})
        if found:
            raise InputError(
                f"the backbone {backbone_name(self.provenance)} is not the one that made {self.source} "
                f"({describe_differences(found)}): restore what has changed, or extract and train again."
            )

    def of_pixels(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Features {tap: (B, ...)} of pixels (B, H, W, 3) uint8 that went through the transform, as a store holds them.

        A batch is computed at once: its size must fit into memory.
        """
        dtype = DTYPES[self.stored]
        features = self.backbone(torch.from_numpy(pixels))
        return {tap: features[tap].to(dtype).cpu().numpy() for tap in self.taps}

    def each(
        self, images: Sequence[AnyImage], consume: Consume, batch_size: int = 32, workers: int | None = None
    ) -> ExtractionSummary:
        """Call `consume` with the features of all images, some batches at a time; memory does not grow with them."""
        step = batch_size * BATCHES
        pieces = [range(i, min(i + step, len(images))) for i in range(0, len(images), step)]

        def write(piece: int, arrays: dict[str, np.ndarray], failures: dict[int, Failure]) -> None:
            consume(pieces[piece], arrays, failures)

        return extract_images(
            self.backbone,
            GivenImages(images, self.backbone.transform),
            list(enumerate(pieces)),
            write,
            batch_size=batch_size,
            workers=workers,
            on_error="skip",
            dtype=self.stored,
        )


def opened(image: AnyImage) -> Image.Image:
    """The image as RGB.

    Raises:
        UnreadableImage: if it cannot be decoded.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image))
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UnreadableImage(f"is {image.dtype} of shape {image.shape}, not uint8 of shape (height, width, 3)")
    return Image.fromarray(image)


def name_of(image: AnyImage, row: int) -> str:
    """Its path, or its number among the given images."""
    return str(image) if isinstance(image, str | Path) else f"image {row}"
