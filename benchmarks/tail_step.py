"""A training step of ResNet101 with a linear predictor: the tail on stored trunk rows against end to end, in one run.

    python benchmarks/tail_step.py [--threads 1] [--batch 16] [--copies 4] [--repeats 5] [--device cpu]

Weights and inputs are random; no image is decoded, which end to end would come on top. Variants take turns within every
repetition; on a CPU the time is that of the processor, which other programs do not lengthen. "frozen" trains the last
stage only, as the tail does; the ratio is the time of "end to end, frozen" over that of the variant. The last rows
compare several copies of the tail: one after another, as one grouped computation, and at inference with and without
those that are switched off. A difference of the outputs is told first. Memory is the peak over what stands before a
step.
"""

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from common import forget_peak, resident, result_file, write_table
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from zslpipe.backbones import create_model, split
from zslpipe.backbones.tail_taps import TailTaps
from zslpipe.parts.fine_tuning import FineTuningSettings
from zslpipe.parts.problem import Problem
from zslpipe.parts.specialists import Specialists
from zslpipe.store.layout import TapSpec

MODEL, ATTRIBUTES = "resnet101", 312


class Step:
    """Forward and backward through the tail and a linear layer, from trunk outputs or from images."""

    def __init__(self, trunk: nn.Module | None, tail: TailTaps, x: Tensor, all_trained: bool = False) -> None:
        self.trunk, self.tail, self.x, self.all_trained = trunk, tail.train(), x, all_trained
        self.predict = nn.Linear(2048, ATTRIBUTES).to(x.device)
        if trunk is not None:
            trunk.requires_grad_(all_trained).train(all_trained)

    def __call__(self) -> None:
        x = self.x
        if self.trunk is not None:
            with torch.set_grad_enabled(self.all_trained):
                x = self.trunk(x)
        (features,) = self.tail(x)
        self.predict(features).square().mean().backward()


def grouped(tails: list[TailTaps], x: Tensor) -> Callable[[], None]:
    """Forward and backward of all copies by vmap, which turns their convolutions into grouped ones."""
    weights, buffers = stack_module_state(tails)
    template = copy.deepcopy(tails[0])

    def one(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        (features,) = functional_call(template, (weights, buffers), (x,))
        return features

    def step() -> None:
        vmap(one)(weights, buffers).square().mean().backward()

    return step


def in_turn(tails: list[TailTaps], x: Tensor) -> Callable[[], None]:
    def step() -> None:
        torch.stack([tail(x)[0] for tail in tails]).square().mean().backward()

    return step


def inference(net: Specialists, inputs: dict[str, Tensor], prune: bool) -> Callable[[], None]:
    def step() -> None:
        net.prune = prune
        with torch.inference_mode():
            net(inputs)

    return step


def specialists(copies: int, batch: int, device: str) -> tuple[Specialists, dict[str, Tensor]]:
    """With every second one switched off."""
    backbone = {"name": MODEL, "weights": "random", "image_size": 224, "hash": ""}
    taps = {"trunk": TapSpec((14, 14, 1024)), "global": TapSpec((2048,))}
    problem = Problem(taps, ATTRIBUTES, backbone=backbone)
    net = Specialists(problem, FineTuningSettings(), copies, 0, True, True, 5.0, True).eval().to(device)
    with torch.no_grad():
        net.gates.copy_(torch.tensor([1.0, -1.0]).repeat(copies)[:copies])
    inputs = {"trunk": torch.rand(batch, 14, 14, 1024, device=device), "global": torch.rand(batch, 2048, device=device)}
    return net, inputs


def variants(batch: int, copies: int, device: str) -> dict[str, Callable[[], None]]:
    trunk, tail = split(create_model(MODEL, "random"))
    taps = TailTaps(tail, ("global",), torch.zeros(1, 1024, 14, 14)).to(device)
    trunk = trunk.to(device)
    images = torch.randn(batch, 3, 224, 224, device=device)
    with torch.no_grad():
        stored = trunk.eval()(images).contiguous(memory_format=torch.channels_last)
        difference = (taps.eval()(stored)[0] - taps(trunk(images))[0]).abs().max()
    print(f"largest difference of the outputs: {difference:.1e}")
    again = copy.deepcopy(taps)
    again.recompute = True
    tails = [copy.deepcopy(taps).train() for _ in range(copies)]
    net, inputs = specialists(copies, batch, device)
    both = (net(inputs), setattr(net, "prune", False), net(inputs))
    print(f"largest difference of the pruned prediction: {(both[0] - both[2]).abs().max():.1e}")
    return {
        "end to end, frozen": Step(copy.deepcopy(trunk), copy.deepcopy(taps), images),
        "end to end, all trained": Step(copy.deepcopy(trunk), copy.deepcopy(taps), images, True),
        "tail": Step(None, copy.deepcopy(taps), stored),
        "tail, recomputed": Step(None, again, stored),
        f"{copies} tails in turn": in_turn(tails, stored),
        f"{copies} tails grouped": grouped(tails, stored),
        f"{copies} specialists, inference, pruned to {(copies + 1) // 2}": inference(net, inputs, True),
        f"{copies} specialists, inference, not pruned": inference(net, inputs, False),
    }


def peaks(steps: dict[str, Callable[[], None]], device: str) -> dict[str, float]:
    """MiB that each step takes at most, over what stands before it: weights, inputs and what the library keeps."""
    found = {}
    for name, step in steps.items():
        step()  # gradients are allocated by the first
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            step()
            found[name] = (torch.cuda.max_memory_allocated() - before) / 2**20
            continue
        before = resident("VmRSS")
        forget_peak()
        step()
        found[name] = resident("VmHWM") - before
    return found


def peaks_apart() -> dict[str, float]:
    """The same by a process of its own, in which freed memory goes back at once; that would slow the timed steps."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    command = [sys.executable, *sys.argv, "--memory"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    taken = {} if options.memory else peaks_apart()  # before this process holds the networks, too
    steps = variants(options.batch, options.copies, options.device)
    if options.memory:
        print(json.dumps(peaks(steps, options.device)))
        return
    times: dict[str, list[float]] = {name: [] for name in steps}
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    for _ in range(options.repeats + 1):
        for name, step in steps.items():
            started = clock()
            step()
            if options.device != "cpu":
                torch.cuda.synchronize()
            times[name].append(clock() - started)
    slowest = statistics.median(times["end to end, frozen"][1:])
    rows: list[dict[str, Any]] = [
        {
            "variant": name,
            "median ms": f"{1000 * statistics.median(t[1:]):.0f}",
            "min ms": f"{1000 * min(t[1:]):.0f}",
            "ratio": f"{slowest / statistics.median(t[1:]):.1f}",
            "peak MiB": f"{taken[name]:.0f}",
            "batch": options.batch,
        }
        for name, t in times.items()
    ]
    for row in rows:
        print("  ".join(map(str, row.values())))
    write_table(result_file("tail_step", options.device), rows)


if __name__ == "__main__":
    main()
