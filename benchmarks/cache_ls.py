"""How long `zslpipe cache ls` takes for a cache with many stores and runs, beside `zslpipe --version`.

python benchmarks/cache_ls.py --stores 1000 --runs 1000
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, write_table

import zslpipe
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.workflows.evaluate import evaluate_run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

TIMES = 7


def fill(cache: Path, stores: int, runs: int) -> None:
    """A cache with copies of one small store and of one run with two seeds that was evaluated."""
    rng = np.random.default_rng(0)
    semantics, labels = rng.uniform(size=(20, 12)).astype(np.float32), np.repeat(np.arange(20), 15)
    benchmark = zslpipe.make_benchmark(labels, semantics, unseen=[15, 16, 17, 18, 19])
    features = (semantics[labels] @ rng.normal(size=(12, 32))).astype(np.float32)
    workspace = Workspace(cache, cache)
    provenance = {"fingerprinted": {"backbone": {"name": "fake"}}, "recorded": {}}
    path = workspace.stores / "store-0000"
    store = FeatureStore.create(path, benchmark, {"global": TapSpec((32,), "float32")}, provenance, piece_rows=64)
    for piece in range(store.pieces):
        rows = store.piece_rows_of(piece)
        store.write_piece(piece, {"global": features[rows.start : rows.stop]})
    run, _ = train_head(workspace, "eszsl", store, seeds=range(2))
    evaluate_run(workspace, run, True, True, "validated")
    for number in range(1, stores):
        shutil.copytree(path, path.with_name(f"store-{number:04d}"))
    for number in range(1, runs):
        shutil.copytree(run.path, run.path.with_name(f"{run.name}-{number:04d}"))


def seconds(cache: Path, *line: str) -> float:
    """The median over several processes."""
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "zslpipe", *line], check=True, capture_output=True, text=True)
        taken.append(time.perf_counter() - started)
    print(line, f"{np.median(taken):.2f} s, {len(done.stdout.splitlines())} lines", flush=True)
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--cache", type=Path, help="Filled if it is not there, and kept.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or Path(folder) / "cache"
        if not cache.exists():
            fill(cache, options.stores, options.runs)
        start = seconds(cache, "--version")
        listed = seconds(cache, "cache", "ls", "--cache", str(cache))
    row = {"stores": options.stores, "runs": options.runs, "cache ls, s": f"{listed:.2f}", "start, s": f"{start:.2f}"}
    write_table(RESULTS / f"cache_ls-torch{torch.__version__}.csv", [{**row, "torch": torch.__version__}])


if __name__ == "__main__":
    main()
