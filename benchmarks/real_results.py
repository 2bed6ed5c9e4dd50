"""The table of real results, through the command line alone: import or extract, train, evaluate.

    python benchmarks/real_results.py --data-root DATA --cache CACHE --set branch=global

Writes benchmarks/results/real-SUITE-torchVERSION.csv, a row a run: validated numbers first, the oracle's beside them.
Extraction and runs that are in the cache already are used again.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

RESULTS = Path(__file__).parent / "results"
BACKBONE = "tf_efficientnet_lite0"
METRICS = ("T1", "U", "S", "H", "AUSUC")


class Commands:
    """`zslpipe` with the places filled in; every call is printed as a person would type it."""

    def __init__(self, data_root: Path, cache: Path) -> None:
        self.places = ["--data-root", str(data_root), "--cache", str(cache)]

    def __call__(self, *line: str) -> Any:
        print("zslpipe", *line, flush=True)
        command = [sys.executable, "-m", "zslpipe", *line, *self.places, "--json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


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
    parser.add_argument("--heads", default="eszsl,remse")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="Fix a setting of trained heads."
    )
    parser.add_argument("--suite", default="spine", help="Part of the name of the file that is written.")
    options = parser.parse_args()
    zslpipe = Commands(options.data_root, options.cache)
    found = stores(zslpipe, options.data_root, options.cache)
    about = {k: v for k, v in zslpipe("doctor").items() if k not in ("data root", "cache")}
    rows = []
    for store, semantics in PROBLEMS:
        for head in options.heads.split(","):
            line = ["--store", found[store], "--semantics", semantics, "--seeds", str(options.seeds)]
            line += [word for setting in options.set for word in ("--set", setting) if head != "eszsl"]
            run = zslpipe("train-head", head, *line)
            (evaluation,) = zslpipe("eval", run["run"], "--gzsl", "--calibrate")
            row = {"store": store, "semantics": semantics, "head": head, **summary(evaluation)}
            rows.append({**row, "selection": evaluation["selection"], "seeds": options.seeds, **about})
            print({k: rows[-1][k] for k in ("store", "semantics", "head", *METRICS, "oracle H")}, flush=True)
    path = RESULTS / f"real-{options.suite}-torch{torch.__version__.split('+')[0]}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
