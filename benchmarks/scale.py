"""Time and memory a row of import, verify, train and eval, for growing numbers of small synthetic rows.

    python benchmarks/scale.py --rows 100000 1000000 10000000

Every step runs in a process of its own; recorded are its processor time, its wall time, and how much resident memory it
needed at most beyond what the imports take.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, resident, write_table

from zslpipe.data.benchmark import Benchmark
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.importing import import_features
from zslpipe.store.verify import verify
from zslpipe.workflows.evaluate import evaluate_run
from zslpipe.workflows.runs import find_run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

CLASSES, UNSEEN, ATTRIBUTES, WIDTH = 50, 5, 16, 16


def problem(rows: int) -> Benchmark:
    """Images of each class in one run of rows; a twentieth of the seen and all unseen ones are for testing."""
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, CLASSES, rows))
    test = (np.arange(rows) % 20 == 0) | (labels >= CLASSES - UNSEEN)
    return Benchmark(
        name="synthetic",
        class_names=tuple(f"class {c}" for c in range(CLASSES)),
        semantics=rng.uniform(size=(CLASSES, ATTRIBUTES)).astype(np.float32),
        attribute_names=tuple(f"attribute {a}" for a in range(ATTRIBUTES)),
        image_ids=tuple(f"{row:09d}.jpg" for row in range(rows)),
        labels=labels,
        trainval=np.flatnonzero(~test),
        test_seen=np.flatnonzero(test & (labels < CLASSES - UNSEEN)),
        test_unseen=np.flatnonzero(labels >= CLASSES - UNSEEN),
    )


def draw(folder: Path, rows: int) -> None:
    benchmark, rng = problem(rows), np.random.default_rng(1)
    mix = rng.normal(size=(ATTRIBUTES, WIDTH)).astype(np.float32)
    out = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, (rows, WIDTH))
    for start in range(0, rows, 1 << 18):
        part = benchmark.labels[start : start + (1 << 18)]
        out[start : start + len(part)] = benchmark.semantics[part] @ mix + rng.normal(size=(len(part), WIDTH))
    benchmark.save(folder / "benchmark.npz")


def import_(folder: Path) -> None:
    import_features([folder / "features.npy"], Benchmark.load(folder / "benchmark.npz"), folder / "cache")


def store_of(folder: Path) -> Path:
    (path,) = (folder / "cache" / "stores").iterdir()
    return path


def verify_(folder: Path) -> None:
    assert not verify(store_of(folder))


def train(folder: Path) -> None:
    train_head(Workspace(folder, folder / "cache"), "eszsl", FeatureStore.open(store_of(folder)))


def evaluate(folder: Path) -> None:
    workspace = Workspace(folder, folder / "cache")
    done = evaluate_run(workspace, find_run(workspace.runs, None), True, True, "validated")
    assert done.results[0].H is not None


STEPS: dict[str, Callable[[Path], None]] = {
    "import": import_,
    "verify": verify_,
    "train": train,
    "eval": evaluate,
}


def measured(step: str, folder: Path) -> dict[str, float]:
    """Run one step in a new process."""
    command = [sys.executable, __file__, "--step", step, str(folder)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6])
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        wall, cpu, before = time.perf_counter(), time.process_time(), resident("VmRSS")
        STEPS[options.step[0]](Path(options.step[1]))
        wall, cpu, peak = time.perf_counter() - wall, time.process_time() - cpu, resident("VmHWM")
        print(json.dumps({"s": wall, "cpu": cpu, "peak": peak, "grown": peak - before}))
        return
    table: list[dict[str, Any]] = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            draw(folder, rows)
            for step in STEPS:
                found = measured(step, folder)
                line = {"rows": rows, "step": step, "wall s": round(found["s"], 2)}
                line["cpu µs a row"] = round(1e6 * found["cpu"] / rows, 2)
                line["bytes a row"] = round(found["grown"] * 2**20 / rows)
                line["peak GiB"] = round(found["peak"] / 1024, 2)
                print(line, flush=True)
                table.append({**line, "torch": torch.__version__})
    write_table(RESULTS / f"scale-torch{torch.__version__}.csv", table)


if __name__ == "__main__":
    main()
