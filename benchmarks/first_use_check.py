"""What it costs to compare pieces with their checksums on first use, as a share of a training.

    python benchmarks/first_use_check.py

Told are, for a closed form on global features of the size of CUB and for attention on regions, the seconds of the
training, those spent on checksums, and their share.
"""

import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import result_file, write_table

from zslpipe.data.benchmark import Benchmark
from zslpipe.store import feature_store
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec, good_piece_rows
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace


def made(
    folder: Path, each: int, classes: int, attributes: int, taps: dict[str, TapSpec], further: int = 0
) -> FeatureStore:
    """A store of random features, of `classes` with images and `further` ones without."""
    rng = np.random.default_rng(0)
    rows, seen = each * classes, classes * 3 // 4
    order = np.arange(rows).reshape(classes, each)
    benchmark = Benchmark(
        name="random",
        class_names=tuple(f"class {c}" for c in range(classes + further)),
        semantics=rng.normal(size=(classes + further, attributes)).astype(np.float32),
        attribute_names=tuple(f"attribute {a}" for a in range(attributes)),
        image_ids=tuple(f"{i}.jpg" for i in range(rows)),
        labels=np.repeat(np.arange(classes), each),
        trainval=order[:seen, 1:].ravel(),
        test_seen=order[:seen, :1].ravel(),
        test_unseen=order[seen:].ravel(),
        attribute_vectors=rng.normal(size=(attributes, 50)).astype(np.float32),
    )
    bytes_ = sum(int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize for spec in taps.values())
    provenance = {"fingerprinted": {"backbone": {"name": "random"}}, "recorded": {}}
    store = FeatureStore.create(folder, benchmark, taps, provenance, good_piece_rows(rows, bytes_))
    size = len(store.piece_rows_of(0))
    block = {t: rng.standard_normal((size, *spec.shape), np.float32).astype(spec.dtype) for t, spec in taps.items()}
    for piece in range(store.pieces):
        count = len(store.piece_rows_of(piece))
        store.write_piece(piece, {t: np.roll(values, piece, -1)[:count] for t, values in block.items()})
    return store


def measured(workspace: Workspace, store: FeatureStore, head: str, **settings: object) -> tuple[float, float]:
    """Seconds of a training, and those spent on checksums."""
    spent, check = 0.0, feature_store.require_intact

    def timed(*arguments: object) -> None:
        nonlocal spent
        started = time.perf_counter()
        check(*arguments)  # type: ignore[arg-type]
        spent += time.perf_counter() - started

    with patch.object(feature_store, "require_intact", timed):
        started = time.perf_counter()
        train_head(workspace, head, FeatureStore.open(store.path), settings=settings)
        return time.perf_counter() - started, spent


if __name__ == "__main__":
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        place = Workspace(Path(temporary), Path(temporary) / "cache")
        globals_ = made(place.stores / "global", 60, 200, 312, {"global": TapSpec((2048,), "float16")})
        regions = {"global": TapSpec((512,), "float16"), "region": TapSpec((49, 512), "float16")}
        maps = made(place.stores / "region", 40, 100, 85, regions)
        for name, store, head, settings in (
            ("eszsl, 12000 x 2048", globals_, "eszsl", {}),
            ("attention-net, 4000 x 49 x 512", maps, "attention-net", {"epochs": 3}),
        ):
            total, spent = measured(place, store, head, **settings)
            share = round(100 * spent / total, 2)
            about = {"training": name, "store_mb": round(store.bytes / 1e6), "seconds": round(total, 1)}
            rows.append({**about, "on_checksums": round(spent, 3), "percent": share})
            print(rows[-1], flush=True)
    write_table(result_file("first_use_check"), rows)
