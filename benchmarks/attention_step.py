"""A training step of the fused AttentionNet with SCE and ReMSE: folded against the paper's formulas, in one run.

    python benchmarks/attention_step.py [--threads 2] [--batches 32 64] [--repeats 20]

Shapes are CUB's: 49 regions x 2048 channels, 312 attributes, word vectors of 300, 150 seen classes, M = 1024. A step is
forward, both losses with ReMSE's weights, backward, and one step of SGD. Variants take turns within every repetition,
so that whatever else the machine does hits them alike; medians and minima are told. Outputs and gradients are compared
first.
"""

import argparse
import csv
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zslpipe.heads import Attributes
from zslpipe.heads.attention_net import AttentionNet, CrossAttention
from zslpipe.losses import remse, sce

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
        self.net = CrossAttention(CHANNELS, ATTRIBUTES, WORDS, AttentionNet(width=WIDTH))
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


def seconds_of_an_epoch(images: int = 7057, episodes: int = 60) -> float:
    """Seconds that 300 episodes of 16 x 2 take through the head itself, from float16 features; of `episodes` of them.

    The training is given a first epoch to warm up. What is measured holds all of it: drawing, gathering and casting
    the batch, the step, checks of the losses, progress.
    """
    rng = np.random.default_rng(0)
    some = rng.normal(size=(256, REGIONS, CHANNELS)).clip(0).astype(np.float16)
    regions = np.resize(some, (images, REGIONS, CHANNELS))
    labels, semantics = np.arange(images) % SEEN, rng.uniform(size=(SEEN, ATTRIBUTES)).astype(np.float32)
    attributes = Attributes(tuple(map(str, range(ATTRIBUTES))), rng.normal(size=(ATTRIBUTES, WORDS)).astype(np.float32))
    head = AttentionNet(
        sampling="episodes", episodes=episodes, optimiser="sgd", learning_rate=5e-4, epochs=2, device="cpu"
    )
    stamps = []
    for _ in head.path({"region": regions}, labels, semantics, attributes):
        stamps.append(time.perf_counter())
    return (stamps[1] - stamps[0]) * 300 / episodes


def cpu_name() -> str:
    """As Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
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
    if asked.device == "cpu":
        seconds = seconds_of_an_epoch()
        print(
            f"through the head: {seconds:.0f} s for 300 episodes of 16 x 2, {30 * seconds / 60:.1f} min for 30 epochs"
        )
        row = {"batch": 32, "step": "300 episodes through the head", "median_ms": f"{1000 * seconds:.0f}"}
        rows.append(row)  # type: ignore[arg-type]
    device = (cpu_name() if asked.device == "cpu" else torch.cuda.get_device_name()).replace(" ", "-")
    path = asked.out / f"attention_step-{device}-cpu{torch.get_num_threads()}-torch{torch.__version__}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(path)


if __name__ == "__main__":
    main()
