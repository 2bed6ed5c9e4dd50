"""Everything that a GPU has to show, in one command that installs nothing and needs neither zarr nor the internet.

    python benchmarks/gpu.py                          # on the GPU, at most 40 minutes
    python benchmarks/gpu.py --device cpu --quick     # the same code in small, in minutes

Parts, each written to a table of its own as soon as it is done (gpu-PART-DEVICE-torchVERSION.csv):

- correctness: features, losses and scores of heads, on the device against float32 on the CPU;
- extraction: images per second of the forward pass, of the pipeline from memory and from files, and of what is
  theoretically possible, by backbone, batch size and precision, compiled and as a CUDA graph;
- decoding: JPEG files per second by Pillow on all cores, by torchvision, and by nvJPEG;
- steps: training steps of heads, literal, ours, compiled and as a CUDA graph;
- schedules: whole trainings of AttentionNet and TF-VAEGAN on CUB's shapes, and an epoch of fine-tuning on FLO's.

Weights, images and features are random. Whatever fails or does not fit into the time is a row that says so.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gpu_correctness
import gpu_decoding
import gpu_extraction
import gpu_schedules
import gpu_steps
import torch
from common import RESULTS, device_name, result_file, write_table

Row = dict[str, Any]
PARTS: dict[str, Callable[[str, bool], Iterator[Row]]] = {
    "correctness": gpu_correctness.rows,
    "extraction": gpu_extraction.rows,
    "decoding": gpu_decoding.rows,
    "steps": gpu_steps.rows,
    "schedules": gpu_schedules.rows,
}


def measured(name: str, device: str, quick: bool, until: float) -> list[Row]:
    """The rows of a part, as far as they can be made in time."""
    found: list[Row] = []
    try:
        for row in PARTS[name](device, quick):
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            found.append(row)
            if time.monotonic() > until:
                found.append({"failed": "the rest of this part did not fit into the time"})
                break
    except Exception as problem:  # the other parts can still be measured
        found.append({"failed": f"{type(problem).__name__}: {str(problem)[:300]}"})
        print(found[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small shapes: to see that everything runs")
    parser.add_argument("--minutes", type=float, default=38.0, help="after which no further measurement starts")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    print(device_name(asked.device), "torch", torch.__version__)
    until = time.monotonic() + 60 * asked.minutes
    for name in asked.parts:
        started = time.monotonic()
        rows = measured(name, asked.device, asked.quick, until)
        print(f"{name}: {time.monotonic() - started:.0f} s")
        write_table(result_file(f"gpu-{name}", asked.device, asked.out), rows)


if __name__ == "__main__":
    main()
