"""The table of real results, through the command line alone: import or extract, train, evaluate.

    python benchmarks/real_results.py --data-root DATA --cache CACHE --set branch=global

Writes benchmarks/results/real-SUITE-torchVERSION.csv, a row a run: validated numbers first, the oracle's beside them.
Extraction and runs that are in the cache already are used again.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

RESULTS = Path(__file__).parent / "results"
BACKBONE = "tf_efficientnet_lite0"
METRICS = ("T1", "U", "S", "H", "AUSUC")


class Commands:
    """`zslpipe` with the places filled in; every call is printed as a person would type it."""

    def __init__(self, data_root: Path, cache: Path, jobs: int = 1) -> None:
        self.jobs = jobs
        self.places = ["--data-root", str(data_root), "--cache", str(cache)]

    def __call__(self, *line: str) -> Any:
        print("zslpipe", *line, flush=True)
        command = [sys.executable, "-m", "zslpipe", *line, *self.places, "--json"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.jobs))}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return json.loads(done.stdout)


def stores(zslpipe: Commands, data: Path, cache: Path) -> dict[str, str]:
    """Name in the table to folder of the store."""
    package = ("--backbone", BACKBONE, "--weights", "package")
    birds, tables = str(data / "images" / "CUB50"), str(cache / "tables" / "CUB50")
    zslpipe("data", "table", "cub", birds, "--out", tables)
    return {
        "CUB resnet1000": zslpipe(
            "import", str(data / "xlsa17/data/CUB/resnet1000.mat"), "--dataset", "cub", "--name", "resnet1000"
        )["store"],
        "CUB50": zslpipe("extract", *package, "--dataset", birds, "--class-table", tables)["store"],
        "FLO": zslpipe("extract", *package, "--dataset", "flo")["store"],
    }


PROBLEMS = (  # store, semantics
    ("CUB resnet1000", "att"),
    ("CUB resnet1000", "sentences"),
    ("CUB50", "att"),
    ("FLO", "att"),
)


def summary(evaluation: dict[str, Any]) -> dict[str, str]:
    """Mean and standard deviation over seeds, in per cent, of the validated numbers and the oracle's H."""
    seeds = list(evaluation["seeds"].values())
    values = {m: [100 * s[m] for s in seeds] for m in METRICS} | {"oracle H": [100 * s["oracle"]["H"] for s in seeds]}
    return {name: f"{np.mean(v):.1f} ± {np.std(v, ddof=len(v) > 1):.1f}" for name, v in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="Runs at a time; the cores are shared out.")
    parser.add_argument("--heads", default="eszsl,remse")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="Fix a setting of trained heads."
    )
    parser.add_argument("--suite", default="spine", help="Part of the name of the file that is written.")
    options = parser.parse_args()
    zslpipe = Commands(options.data_root, options.cache, options.jobs)
    found = stores(zslpipe, options.data_root, options.cache)
    about = {k: v for k, v in zslpipe("doctor").items() if k not in ("data root", "cache")}
    tasks = [(*problem, head) for problem in PROBLEMS for head in options.heads.split(",")]

    def row(store: str, semantics: str, head: str) -> dict[str, Any]:
        line = ["--store", found[store], "--semantics", semantics, "--seeds", str(options.seeds)]
        line += [word for setting in options.set for word in ("--set", setting) if head != "eszsl"]
        run = zslpipe("train-head", head, *line)
        (evaluation,) = zslpipe("eval", run["run"], "--gzsl", "--calibrate")
        numbers = {"store": store, "semantics": semantics, "head": head, **summary(evaluation)}
        print(numbers, flush=True)
        settings = " ".join(options.set) if head != "eszsl" else ""
        return {**numbers, "settings": settings, "selection": evaluation["selection"], "seeds": options.seeds, **about}

    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda task: row(*task), tasks))
    path = RESULTS / f"real-{options.suite}-torch{torch.__version__.split('+')[0]}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
