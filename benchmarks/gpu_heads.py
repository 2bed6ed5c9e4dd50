"""The heads that are measured on a GPU, and random features of any size for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.backbones import Transform, create_model
from zslpipe.backbones.weights import content_hash
from zslpipe.heads import HEADS, Attributes, Head
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import IMAGE

GAN = {"hidden": 16, "every": 1, "synthetic": 10, "classifier_epochs": 2}
HEADS_MEASURED: dict[str, dict[str, Any]] = {  # settings with which they train in seconds on a small problem
    "eszsl": {},
    "remse": {},
    "apn": {},
    "gem": {},
    "dense-attention-ae": {},
    "gnet": {},
    "bsnet": {"modules": 2},
    "bgsnet": {"modules": 2},
    "gfzsl": {},
    "gfzsl-softmax": {"synthetic": 10, "classifier_epochs": 2},
    "f-clswgan": GAN,
    "tf-vaegan": GAN,
    "scen": {},
    "sc-egg": {**GAN, "embedding_epochs": 1, "correspondence_epochs": 1},
}


class Made(dict[str, np.ndarray]):
    """Features that know the network that made them, as a store's do."""

    def __init__(self, taps: Mapping[str, np.ndarray], backbone: Mapping[str, Any]) -> None:
        super().__init__(taps)
        self.backbone = dict(backbone)


def described(model: str, size: int) -> dict[str, Any]:
    """A backbone with random weights, as a store describes it."""
    transform = Transform((size, size), 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
    weights = content_hash(create_model(model, "random", size))
    return {"name": model, "weights": "random", "image_size": size, "hash": weights, "transform": transform.describe()}


@dataclass(frozen=True)
class Problem:
    """Random features (N, ...), labels (N,), semantics (C, A), and names and word vectors of attributes."""

    features: Made
    labels: np.ndarray
    semantics: np.ndarray
    attributes: Attributes
    settings: Mapping[str, Any]

    @classmethod
    def made(
        cls,
        shapes: Mapping[str, tuple[int, ...]],
        backbone: Mapping[str, Any],
        settings: Mapping[str, Any],
        images: int,
        seen: int,
        classes: int,
        attributes: int,
        words: int,
    ) -> "Problem":
        """Features after a ReLU (half of the numbers are zero) in float16, pixels for the tap `image`."""
        rng = np.random.default_rng(0)
        semantics = rng.uniform(0.1, 1, (classes, attributes)).astype(np.float32)
        labels = np.arange(images) % seen
        taps = {}
        for tap, shape in shapes.items():
            if tap == IMAGE:
                taps[tap] = rng.integers(0, 256, (images, *shape), dtype=np.uint8)
                continue
            signal = (semantics @ rng.normal(size=(attributes, shape[-1]))).astype(np.float32)[labels]
            values = np.empty((images, *shape), np.float16)
            for row, of_class in zip(values, signal):
                row[:] = np.maximum(of_class + rng.standard_normal(shape, np.float32), 0)
            taps[tap] = values
        names = tuple(f"part::{a}" for a in range(attributes))
        vectors = rng.normal(scale=0.35, size=(attributes, words)).astype(np.float32)
        return cls(Made(taps, backbone), labels, semantics, Attributes(names, vectors), settings)

    @classmethod
    def small(cls, settings: Mapping[str, Any]) -> "Problem":
        """Of `test_resnet`, which trains in no time."""
        shapes = {"global": (384,), "region": (4, 384), "trunk": (4, 4, 192)}
        return cls.made(shapes, described("test_resnet", 64), settings, 96, 6, 8, 7, 5)

    def head(self, name: str, device: str, **more: Any) -> Head:
        cls = HEADS[name]
        known = cls().get_params()
        own = {"device": device, **({"epochs": 2, "batch": 16} if issubclass(cls, TorchHead) else {})}
        return cls().set_params(**{k: v for k, v in {**own, **self.settings, **more}.items() if k in known})

    def fitted(self, name: str, device: str, **more: Any) -> Head:
        return self.head(name, device, **more).fit(self.features, self.labels, self.semantics, self.attributes)
