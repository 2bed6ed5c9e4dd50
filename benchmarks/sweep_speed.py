"""How much faster two workers are than one in a sweep over different heads, on a synthetic store.

    python benchmarks/sweep_speed.py

Beside the wall time, which other work on the machine disturbs, it records the processor time of all processes: where
two cores are free, two workers can be 2 x (that of one worker) / (that of two) times as fast.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, write_table

import zslpipe
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec

CLASSES, EACH, WIDTH, ATTRIBUTES = 60, 60, 256, 64
SWEEP = """
heads:
  - head: remse
    settings: {branch: global, epochs: 60, learning_rate: [0.001, 0.0007, 0.0005, 0.0003]}
  - head: attention-net
    settings: {branch: global, epochs: 60, loss: [sce, sce+remse], learning_rate: [0.001, 0.0003]}
  - head: gfzsl
    settings: {gamma: 0.1, lambda_: [0.1, 1]}
seeds: 1
"""


def make_store(path: Path) -> None:
    rng = np.random.default_rng(0)
    semantics, labels = rng.uniform(size=(CLASSES, ATTRIBUTES)).astype(np.float32), np.repeat(np.arange(CLASSES), EACH)
    benchmark = zslpipe.make_benchmark(labels, semantics, unseen=list(range(CLASSES - 12, CLASSES)))
    features = semantics[labels] @ rng.normal(size=(ATTRIBUTES, WIDTH)) + 2 * rng.normal(size=(len(labels), WIDTH))
    provenance = {"fingerprinted": {"backbone": {"name": "synthetic"}}, "recorded": {}}
    taps = {"global": TapSpec((WIDTH,), "float32")}
    store = FeatureStore.create(path, benchmark, taps, provenance, piece_rows=len(labels))
    store.write_piece(0, {"global": features.astype(np.float32)})


def timed(folder: Path, jobs: int) -> dict[str, float]:
    """Wall and processor time of a sweep in a cache of its own, without the start of the program."""
    cache = folder / f"cache-{jobs}"
    make_store(cache / "stores" / "synthetic")
    (folder / "sweep.yaml").write_text(SWEEP)
    line = [sys.executable, "-m", "zslpipe", "sweep", str(folder / "sweep.yaml"), "--jobs", str(jobs)]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [*line, "--threads", "1", "--cache", str(cache), "--json"], check=True, capture_output=True, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
    return {"wall": time.perf_counter() - started, "cpu": cpu}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one, two = (timed(Path(folder), jobs) for jobs in (1, 2))
    row: dict[str, Any] = {"load": f"{os.getloadavg()[1]:.1f}", "cores": os.cpu_count()}
    for name, found in (("one worker", one), ("two workers", two)):
        row |= {f"{name}, wall s": f"{found['wall']:.1f}", f"{name}, cpu s": f"{found['cpu']:.1f}"}
    row["faster, wall"] = f"{one['wall'] / two['wall']:.2f}"
    row["faster on two free cores, from the cpu times"] = f"{2 * one['cpu'] / two['cpu']:.2f}"
    print(row)
    write_table(RESULTS / f"sweep_speed-torch{torch.__version__}.csv", [row])


if __name__ == "__main__":
    main()
