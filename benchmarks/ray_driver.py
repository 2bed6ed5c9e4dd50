"""How many pieces a second the driver of an extraction on Ray can hand out.

    python benchmarks/ray_driver.py --pieces 20000 --actors 4

Actors have a fake backbone, which answers at once and stores nothing; the driver is the real one. Its processor time a
piece bounds the rate of a cluster of any size.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, write_table

from zslpipe.backbones import load_backbone
from zslpipe.extract.on_ray import AT_A_TIME, Driver
from zslpipe.extract.pipeline import ExtractionSummary
from zslpipe.extract.plan import Plan
from zslpipe.spread import ray_session

ROWS = 64  # of a piece


class Instant:
    """An actor that takes no time."""

    def __init__(self, plan: Plan, threads: int) -> None: ...

    def extract(self, pieces: Sequence[int]) -> ExtractionSummary:
        return ExtractionSummary(images=ROWS * len(pieces), pieces=len(pieces))


class Empty:
    """A store without any piece."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def missing_pieces(self) -> list[int]:
        return list(range(self.pieces))

    def piece_rows_of(self, piece: int) -> range:
        return range(ROWS * piece, ROWS * piece + ROWS)

    def finish(self) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=20000)
    parser.add_argument("--actors", type=int, default=4)
    options = parser.parse_args()
    os.environ["RAY_memory_monitor_refresh_ms"] = "0"  # noqa: SIM112  (it counts the memory of everybody on the machine)
    store: Any = Empty(options.pieces)
    few: Any = Empty(8 * options.actors)
    plan = Plan("", Path(), Path(), load_backbone, device="cpu")
    with ray_session(options.actors):
        Driver(plan, few, options.actors, 1, Instant).run()  # starts the actors' processes
        wall, cpu = time.perf_counter(), time.process_time()
        done = Driver(plan, store, options.actors, 1, Instant).run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert done.pieces == options.pieces
    row = {
        "pieces": options.pieces,
        "actors": options.actors,
        "pieces a call": AT_A_TIME,
        "pieces a second": round(options.pieces / wall),
        "driver, ms of processor time a piece": f"{1000 * cpu / options.pieces:.3f}",
        "bound by the driver, pieces a second": round(options.pieces / cpu),
    }
    print(row)
    write_table(RESULTS / f"ray_driver-torch{torch.__version__}.csv", [row])


if __name__ == "__main__":
    main()
