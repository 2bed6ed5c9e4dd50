"""What an extraction on Ray costs beside the plain one: the same images with 1, 2 and 4 actors.

    python benchmarks/ray_extraction.py --images 512

Wall time, which other work on the machine disturbs, and the processor time of the extraction itself: that of the actors
(measured inside them) and of the driver, against that of the plain pipeline.
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, write_table
from PIL import Image

from zslpipe.extract.on_ray import Driver, RayWorker
from zslpipe.extract.pipeline import ExtractionSummary
from zslpipe.extract.plan import Plan, Worker
from zslpipe.spread import ray_session
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.workspace import Workspace

ASKED: dict[str, Any] = {"weights": "random", "image_size": 96, "taps": ("global",), "batch_size": 16, "device": "cpu"}


class Timed(RayWorker):
    """Keeps its processor time in the place of the time that it waited for writing."""

    def extract(self, pieces: Sequence[int]) -> ExtractionSummary:
        started = time.process_time()
        done = super().extract(pieces)
        return replace(done, write_wait_s=time.process_time() - started)


def make_images(folder: Path, images: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(images):
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (160, 160, 3), np.uint8)).save(out, "JPEG")
        path = folder / f"class{number % 4}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(out.getvalue())
    lines = [f"class{c},{'unseen' if c > 2 else 'seen'},{c % 2},{c // 2}" for c in range(4)]
    (folder / "classes.csv").write_text("\n".join(["class,split,stripes,wings", *lines]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--actors", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    os.environ["RAY_memory_monitor_refresh_ms"] = "0"  # noqa: SIM112  (it counts the memory of everybody on the machine)
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        make_images(photos, options.images)
        kept: dict[str, Any] = {}

        def keep(plan: Plan, net: Any, store: FeatureStore) -> Worker:
            kept["plan"] = plan
            return Worker(plan, net, store)

        import zslpipe.workflows.extract as workflow

        workflow.Worker = keep  # type: ignore[misc, assignment]
        store = extract_store(Workspace(Path(name), Path(name) / "cache"), str(photos), "resnet18", **ASKED).store
        plan: Plan = kept["plan"]
        worker = Worker(plan)
        store.forget(range(store.pieces))
        wall, cpu = time.perf_counter(), time.process_time()
        worker.all_of(range(store.pieces))
        plain = {"workers": "plain", "wall s": time.perf_counter() - wall, "cpu s": time.process_time() - cpu}
        rows.append(plain)
        with ray_session(max(options.actors)):
            for actors in options.actors:
                store.forget(range(store.pieces))
                wall, cpu = time.perf_counter(), time.process_time()
                done = Driver(plan, store, actors, 1, Timed).run()
                driver = time.process_time() - cpu
                line = {"workers": f"{actors} on Ray", "wall s": time.perf_counter() - wall}
                rows.append({**line, "cpu s": done.write_wait_s + driver, "of which the driver": driver})
    table = [{k: v if isinstance(v, str) else round(v, 2) for k, v in row.items()} for row in rows]
    for row, raw in zip(table, rows):
        row |= {"cpu of plain": round(raw["cpu s"] / plain["cpu s"], 3), "images": options.images}
        print(row)
    write_table(RESULTS / f"ray_extraction-torch{torch.__version__}.csv", table)


if __name__ == "__main__":
    main()
