"""A training step of the fused AttentionNet with SCE and ReMSE: folded against the paper's formulas, in one run.

    python benchmarks/attention_step.py [--threads 2] [--batches 32 64] [--repeats 20]

Shapes are CUB's: 49 regions x 2048 channels, 312 attributes, word vectors of 300, 150 seen classes, M = 1024. A step is
forward, both losses with ReMSE's weights, backward, and one step of SGD. Variants take turns within every repetition,
so that whatever else the machine does hits them alike; medians and minima are told. Outputs and gradients are compared
first.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common import RESULTS, result_file, write_table
from torch import Tensor

from zslpipe.heads.attention_net import AttentionNet, CrossAttention
from zslpipe.losses import remse, sce
from zslpipe.parts.problem import Problem
from zslpipe.store.layout import TapSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "heads"))
import literal_attention as literal

REGIONS, CHANNELS, ATTRIBUTES, WORDS, SEEN, WIDTH = 49, 2048, 312, 300, 150, 1024
ALPHA, BETA = 0.1, 0.75


class Step:
    """One way of taking a training step, with a network of its own that starts like all others."""

    def __init__(self, name: str, batch: int, device: str, bfloat16: bool = False) -> None:
        self.name, self.device, self.bfloat16 = name, device, bfloat16
        self.is_literal = name.startswith("literal")
        torch.manual_seed(0)
        self.net = CrossAttention(
            Problem({"region": TapSpec((REGIONS, CHANNELS))}, ATTRIBUTES, WORDS), AttentionNet(width=WIDTH)
        )
        self.net.words.normal_(std=0.35)
        self.net.to(device)
        self.regions = torch.rand(batch, REGIONS, CHANNELS).sub(0.5).relu().to(device)  # half zeros, after a ReLU
        self.semantics = torch.rand(SEEN, ATTRIBUTES).to(device)
        ways = torch.randperm(SEEN)[: batch // 2]
        self.labels = ways.repeat_interleave(2).to(device)
        self.optimiser = torch.optim.SGD(self.net.parameters(), lr=5e-4, momentum=0.9, weight_decay=1e-5, fused=True)

    def loss(self) -> tuple[Tensor, Tensor]:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16):
            predicted = literal.attention_net(self.net, self.regions) if self.is_literal else self.net(self.regions)
        predicted = predicted.float()
        target = self.semantics[self.labels]
        if self.is_literal:
            regression = literal.remse(predicted, target, self.labels, SEEN, ALPHA, BETA)
        else:
            regression, _ = remse(predicted, target, self.labels, ALPHA, BETA)
        return predicted, sce(predicted, self.semantics, self.labels) + 0.01 * regression

    def gradients(self) -> tuple[Tensor, dict[str, Tensor]]:
        predicted, loss = self.loss()
        self.net.zero_grad()
        loss.backward()
        return predicted.detach(), {k: p.grad for k, p in self.net.named_parameters() if p.grad is not None}

    def __call__(self) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self.loss()[1].backward()
        self.optimiser.step()
        if self.device == "cuda":
            torch.cuda.synchronize()


def difference(one: Step, other: Step) -> tuple[float, float]:
    """Largest difference of outputs and of gradients, each relative to the largest value of its tensor."""
    (p, g), (q, h) = one.gradients(), other.gradients()
    shared = [k for k in h if k in g]
    worst = max(float((g[k] - h[k]).abs().max() / h[k].abs().max()) for k in shared)
    return float((p - q).abs().max() / q.abs().max()), worst


def time_in_turn(steps: list[Callable[[], None]], repeats: int, warm: int = 3) -> list[list[float]]:
    taken: list[list[float]] = [[] for _ in steps]
    for repeat in range(warm + repeats):
        for step, times in zip(steps, taken):
            start = time.perf_counter()
            step()
            if repeat >= warm:
                times.append(time.perf_counter() - start)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows = []
    for batch in asked.batches:
        kinds = [("literal", False), ("folded", False), ("literal, bfloat16", True), ("folded, bfloat16", True)]
        steps = [Step(name, batch, asked.device, half) for name, half in kinds]
        outputs, gradients = difference(steps[1], steps[0])
        print(f"batch {batch}: folded differs from literal by {outputs:.1e} in outputs, {gradients:.1e} in gradients")
        taken = [[1000 * t for t in times] for times in time_in_turn(list(steps), asked.repeats)]
        for step, times in zip(steps, taken):
            ms, least = statistics.median(times), min(times)
            faster, by_least = statistics.median(taken[0]) / ms, min(taken[0]) / least
            print(
                f"  {step.name:18} {ms:8.1f} ms (least {least:.1f}): {faster:5.1f} times as fast (least {by_least:.1f})"
            )
            row = {"batch": batch, "step": step.name, "median_ms": f"{ms:.2f}", "least_ms": f"{least:.2f}"}
            rows.append(
                {**row, "times_as_fast": f"{faster:.2f}", "outputs": f"{outputs:.1e}", "gradients": f"{gradients:.1e}"}
            )
    write_table(result_file("attention_step", asked.device, asked.out), rows)


if __name__ == "__main__":
    main()
