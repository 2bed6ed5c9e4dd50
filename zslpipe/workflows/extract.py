"""`zslpipe extract`: images to store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.backbones import load_backbone
from zslpipe.data.load import load_benchmark
from zslpipe.errors import RequestError
from zslpipe.extract.failure import Failure
from zslpipe.extract.images import decoder_version
from zslpipe.extract.imagelist import hash_images
from zslpipe.extract.pipeline import extract
from zslpipe.store.catalog import store_path
from zslpipe.store.feature_store import FeatureStore, TapSpec
from zslpipe.workflows.versions import versions
from zslpipe.workflows.workspace import Workspace

PIECE_BYTES = 8 << 20  # a piece of the widest tap: large enough for the disk, small enough to lose


@dataclass(frozen=True)
class Extraction:
    """What an extraction left behind: the store, rows computed now, rows found there, rows that failed."""

    store: FeatureStore
    computed: int
    reused: int
    failed: int
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        taps = {tap: [len(self.store.status), *spec.shape] for tap, spec in self.store.taps.items()}
        counts = {"computed": self.computed, "reused": self.reused, "failed": self.failed}
        return {"store": str(self.store.path), "fingerprint": self.store.fingerprint, "taps": taps, **counts}


def extract_store(
    workspace: Workspace,
    dataset: str,
    backbone: str = "resnet101",
    *,
    weights: str = "timm",
    taps: tuple[str, ...] = ("global", "region"),
    image_size: int | None = None,
    precision: str = "float32",
    dtype: str = "float16",
    device: str = "cpu",
    batch_size: int = 32,
    workers: int | None = None,
    on_error: str = "fail",
    shard: tuple[int, int] = (0, 1),
    tables: Path | None = None,
    seed: int = 0,
) -> Extraction:
    """Run `backbone` over the images of `dataset` and store its taps; goes on where an earlier call stopped.

    Raises:
        RequestError: where data set, images, backbone or weights are not to be had.
    """
    benchmark = load_benchmark(dataset, workspace.data_root, tables=tables, cache=workspace.cache)
    if benchmark.image_root is None:
        raise RequestError(missing_images(benchmark.name, workspace.data_root))
    net = load_backbone(backbone, weights=weights, image_size=image_size, taps=taps, precision=precision, device=device)
    digest = hash_images(benchmark.image_root, benchmark.image_ids, workspace.cache / "image-hashes")
    raise NotImplementedError
