"""The dense-attention auto-encoder against its paper's formulas at SUN's size: a step, a test set, memory, growth.

    python benchmarks/dense_attention_step.py [--threads 2] [--repeats 10]

Shapes are SUN's: 645 seen of 717 classes, 102 attributes, 49 regions x 2048 channels, batches of 64. A step is forward,
the three losses, backward and one step of Adam. Outputs and gradients are compared first. Variants take turns
within every repetition, so that whatever else the machine does hits them alike; processor time is told besides, which
a busy machine stretches least. The floor is what no formulation can
leave out: the affinity of regions and classes and its gradient, two matrix products.

Memory is the peak of resident memory over what stands before the step (weights, batch, a warmed-up library), read in a
fresh process a variant: Linux resets the peak when 5 is written to /proc/self/clear_refs. It counts everything, the
workspaces of matrix products and the batch's gradients included, not only what torch allocates as tensors.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from common import RESULTS, forget_peak, resident, result_file, write_table
from torch import Tensor

from zslpipe.heads.dense_attention_ae import DenseAttention, DenseAttentionAE
from zslpipe.parts.class_attention import parts
from zslpipe.parts.problem import Problem as Problem
from zslpipe.parts.task import Task
from zslpipe.store.layout import TapSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "heads"))
import literal_dense_attention_ae as literal

BATCH, REGIONS, CHANNELS, ATTRIBUTES, SEEN, CLASSES = 64, 49, 2048, 102, 645, 717
TESTED = 256  # images of a scoring pass
Row = dict[str, str | int | float]
Times = tuple[float, float]


class Step:
    """A head before training, a batch and its classes; the same for every way of computing."""

    def __init__(self, seen: int = SEEN, classes: int = CLASSES, batch: int = BATCH, device: str = "cpu") -> None:
        torch.manual_seed(0)
        self.head = DenseAttentionAE()
        module = self.head.build(Problem({"region": TapSpec((REGIONS, CHANNELS))}, ATTRIBUTES, classes=classes))
        assert isinstance(module, DenseAttention)
        self.module = module.to(device)
        self.regions = torch.rand(batch, REGIONS, CHANNELS).sub_(0.5).relu_().to(device)  # half zeros, after a ReLU
        self.labels = torch.randint(seen, (batch,)).to(device)
        self.task = Task(torch.rand(classes, ATTRIBUTES).to(device), torch.arange(seen).to(device), None)
        module.centre.copy_(self.task.seen_semantics.mean(0))
        self.optimiser = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)

    def loss(self, way: str) -> Tensor:
        if way == "literal":
            return torch.stack(literal.terms(self.head, self.module, self.regions, self.labels, self.task)).sum()
        terms = self.head.terms(self.module, {"region": self.regions}, self.labels, self.task)
        return torch.stack(list(terms.values())).sum()

    def step(self, way: str) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(way).backward()
        self.optimiser.step()

    def floor(self) -> Callable[[], None]:
        flat, queries = self.regions.flatten(0, 1), torch.rand(len(self.task.seen), CHANNELS)

        def products() -> None:
            affinity = flat @ queries.T
            _ = affinity.T @ flat

        return products

    def score(self, way: str) -> Tensor:
        with torch.inference_mode():
            if way == "zslpipe":
                return self.head.scores(
                    self.module, {"region": self.regions}, self.head.encode(self.module, self.task.semantics)
                )
            described = self.module.describe(self.task.semantics)
            latent = self.module.encoder(described)
            few = parts(len(self.regions), 1, 1, at_once=BATCH)  # all at once would take gigabytes
            done = [literal.scores(self.module, self.regions[part], described, latent) for part in few]
            return self.head.scale * torch.cat(done)


def differences(problem: Step) -> tuple[float, float]:
    """Of scores and of gradients, each relative to the largest value of its tensor."""
    scores = {way: problem.score(way) for way in ("literal", "zslpipe")}
    gradients = {}
    for way in scores:
        gradients[way] = torch.autograd.grad(problem.loss(way), list(problem.module.parameters()))
    pairs = [(scores["zslpipe"], scores["literal"]), *zip(gradients["zslpipe"], gradients["literal"])]
    relative = [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]
    return relative[0], max(relative[1:])


def in_turn(ways: dict[str, Callable[[], object]], repeats: int, warm: int = 2) -> dict[str, list[Times]]:
    """Milliseconds (elapsed, of processor time) of every repetition, the ways one after the other in each."""
    taken: dict[str, list[Times]] = {name: [] for name in ways}
    for repeat in range(warm + repeats):
        for name, way in ways.items():
            elapsed, spent = time.perf_counter(), time.process_time()
            way()
            if repeat >= warm:
                taken[name].append((1000 * (time.perf_counter() - elapsed), 1000 * (time.process_time() - spent)))
    return taken


def peak(what: str, way: str, seen: int, classes: int, batch: int) -> float:
    """MiB above what stands before, in a process of its own."""
    command = [sys.executable, __file__, "--peak", what, way, str(seen), str(classes), str(batch)]
    command += ["--threads", str(torch.get_num_threads())]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_peak(what: str, way: str, seen: int, classes: int, batch: int) -> float:
    small = Step(seen=8, classes=9, batch=2)  # starts threads and libraries
    small.step(way)
    small.score(way)
    problem = Step(seen, classes, batch)
    before = resident("VmRSS")
    forget_peak()
    problem.step(way) if what == "step" else problem.score(way)
    return resident("VmHWM") - before


def measured(what: str, way: str, problem: Step, times: list[Times], with_peak: bool = True) -> Row:
    seen, classes, batch = len(problem.task.seen), len(problem.task.semantics), len(problem.regions)
    return {
        "what": what,
        "way": way,
        "classes": seen if what == "step" else classes,
        "batch": batch,
        "median_ms": round(statistics.median(elapsed for elapsed, _ in times), 1),
        "min_ms": round(min(elapsed for elapsed, _ in times), 1),
        "cpu_ms": round(statistics.median(spent for _, spent in times), 1),
        "peak_mib": round(peak(what, way, seen, classes, batch), 1) if with_peak else "",
    }


def compare(what: str, problem: Step, repeats: int) -> list[Row]:
    run = problem.step if what == "step" else problem.score
    ways: dict[str, Callable[[], object]] = {way: partial(run, way) for way in ("literal", "zslpipe")}
    if what == "step":
        ways["floor"] = problem.floor()
    taken = in_turn(ways, repeats)
    return [measured(what, way, problem, times, way != "floor") for way, times in taken.items()]


def growth(counts: list[int], repeats: int) -> list[Row]:
    rows = []
    for count in counts:
        problem = Step(count, count)
        taken = in_turn({"step": partial(problem.step, "zslpipe"), "score": partial(problem.score, "zslpipe")}, repeats)
        rows += [measured(what, "zslpipe", problem, times) for what, times in taken.items()]
    return rows


def told(rows: list[Row]) -> None:
    for row in rows:
        shape = f"{row['what']:5} {row['classes']:>6} classes x {row['batch']:>3} images   {row['way']:8}"
        times = f"{row['median_ms']:9.1f} ms (min {row['min_ms']:.1f}, cpu {row['cpu_ms']:.1f})"
        print(f"  {shape} {times}   peak {row['peak_mib'] or '-'} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--peak", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.peak:
        what, way, *sizes = asked.peak
        print(measure_peak(what, way, *map(int, sizes)))
        return

    scores, gradients = differences(Step())
    print(f"zslpipe differs from the literal formulas by {scores:.1e} in scores and {gradients:.1e} in gradients")
    rows = []
    for what, problem in (("step", Step()), ("score", Step(batch=TESTED))):
        found = compare(what, problem, asked.repeats)
        told(found)
        slow, fast = found[0], found[1]
        faster = float(slow["median_ms"]) / float(fast["median_ms"])
        cheaper = float(slow["cpu_ms"]) / float(fast["cpu_ms"])
        leaner = float(slow["peak_mib"]) / float(fast["peak_mib"])
        print(
            f"  -> {faster:.1f} times faster, {cheaper:.1f} times less processor time, {leaner:.1f} times less memory"
        )
        rows += found
    print("growth with the number of classes")
    grown = growth([100, 1000, 10000], max(3, asked.repeats // 3))
    told(grown)
    rows += grown

    write_table(result_file("dense_attention_step", folder=asked.out), rows)


if __name__ == "__main__":
    main()
