"""Feature generators against literal formulations at CUB's shapes: an iteration of TF-VAEGAN, a step of SCEN, g.

    python benchmarks/generator_step.py [--threads 2] [--repeats 10]

Shapes: 2048 features, 312 attributes, hidden layers of 4096, batches of 64, five critic steps and one generator step in
an iteration; SCEN with 49 regions, 200 classes and word vectors of 300. The literal versions are those of the tests;
their optimisers are as in the public code (not fused). Losses are compared first, for the same noise. The variants
take turns within every repetition. "kept" rows repeat both with glibc told to keep freed memory, as `zslpipe
train-head` does; the setting stays for the rest of the process, so they come last. `times_as_fast` compares processor
time, which other work on the machine disturbs least, with that of the literal version in default memory.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, result_file, write_table
from torch import Tensor

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.parts.adversarial import Adversarial, GanSettings
from zslpipe.parts.embedding_stages import EmbeddingSettings, EmbeddingTraining
from zslpipe.parts.feature_gan import FeatureGan, GanSizes
from zslpipe.parts.own_learner import cast_to
from zslpipe.parts.problem import Problem
from zslpipe.parts.semantic_compression import EmbeddingNet
from zslpipe.parts.task import Task
from zslpipe.store.layout import TapSpec
from zslpipe.training import At, Batch
from zslpipe.training.placed import Placed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "heads"))
import literal_scen
from literal_tf_vaegan import LiteralTfVaegan, Noise

WIDTH, ATTRIBUTES, HIDDEN, BATCH, STEPS, SEEN, CLASSES, REGIONS, WORDS = 2048, 312, 4096, 64, 5, 150, 200, 49, 300
Ways = dict[str, Callable[[], object]]


class Iteration:
    """An iteration of TF-VAEGAN on a fixed batch, without feedback or with it."""

    def __init__(self, feedback: bool, device: str = "cpu", width: int = WIDTH, hidden: int = HIDDEN) -> None:
        torch.manual_seed(0)
        gan = FeatureGan(GanSizes(width, ATTRIBUTES, ATTRIBUTES, hidden, output="sigmoid")).to(device)
        self.device = device
        self.semantics = torch.nn.functional.normalize(torch.rand(SEEN, ATTRIBUTES), dim=1).to(device)
        self.learner = Adversarial(gan, GanSettings(), self.semantics)
        with torch.device(device):
            self.literal = LiteralTfVaegan(gan, self.learner.settings)
            count = STEPS * BATCH
            self.batch = Batch({"global": torch.rand(count, width)}, torch.randint(SEEN, (count,)), np.arange(count))
        self.feedback, self.at = feedback, At("", 0, 1, 5 if feedback else 0, 10)

    def ours(self) -> dict[str, float]:
        torch.manual_seed(1)
        return self.learner.step(self.batch, self.at)

    def by_the_letter(self) -> dict[str, float]:
        torch.manual_seed(1)
        count = len(self.batch.labels)
        with torch.device(self.device):
            noise = Noise(torch.rand(count, 1), torch.randn(count, ATTRIBUTES), torch.randn(BATCH, ATTRIBUTES))
        x, a = self.batch.inputs["global"], self.semantics[self.batch.labels]
        return self.literal.step(x, a, noise, self.feedback)

    def difference(self) -> float:
        """Of the losses of two iterations, relative to the larger of one and the loss."""
        worst = 0.0
        for _ in range(2):
            ours, letter = self.ours(), self.by_the_letter()
            worst = max(worst, *(abs(ours[k] - v) / max(1.0, abs(v)) for k, v in letter.items()))
        return worst


class Embedding:
    """A step of SCEN's first stage on a fixed batch, and g of that batch."""

    def __init__(self, reading: str = "paper") -> None:
        torch.manual_seed(0)
        problem = Problem({"region": TapSpec((REGIONS, WIDTH))}, ATTRIBUTES, WORDS, CLASSES)
        self.net = EmbeddingNet(problem, reading)  # type: ignore[arg-type]
        with torch.no_grad():
            self.net.words.copy_(torch.nn.functional.normalize(torch.randn(ATTRIBUTES, WORDS), dim=1))
        self.regions = torch.rand(BATCH, REGIONS, WIDTH).sub_(0.5).relu_()
        self.task = Task(torch.rand(CLASSES, ATTRIBUTES), torch.arange(SEEN), None)
        self.labels = torch.randint(SEEN, (BATCH,))
        rows = Placed({"region": self.regions.numpy()}, ("region",), torch.device("cpu"))
        cast = cast_to("float32", torch.device("cpu"))
        settings = EmbeddingSettings(reading=self.net.reading)
        self.training = EmbeddingTraining(self.net, settings, rows, self.labels, self.task, BATCH, 1e-4, 0, cast)
        self.stage = next(self.training.stages(1, "none"))
        self.batch = Batch({"region": self.regions}, self.labels, np.arange(BATCH))
        weights = [p for name, p in self.net.named_parameters() if not name.startswith("distilled")]
        self.optimiser = torch.optim.Adam(weights, 1e-4)

    def loss(self) -> Tensor:
        return torch.stack(list(self.training.embedding(self.batch, At("", 0, 1, 0, 1)).values())).sum()

    def literal_loss(self) -> Tensor:
        semantics = self.task.semantics
        return literal_scen.embedding_loss(self.net, self.regions, self.labels, semantics, self.task.seen)

    def ours(self) -> None:
        self.stage.learner.step(self.batch, At("", 0, 1, 0, 1))

    def by_the_letter(self) -> None:
        self.optimiser.zero_grad()
        self.literal_loss().backward()
        self.optimiser.step()

    @torch.inference_mode()
    def g(self) -> Tensor:
        return self.net.dense(self.regions)

    @torch.inference_mode()
    def literal_g(self) -> Tensor:
        return literal_scen.compressed(self.net, literal_scen.attended(self.net, self.regions))


def timed(what: str, memory: str, ways: Ways, repeats: int) -> list[dict[str, str | float]]:
    """Medians of the ways, which take turns, and the ratio of the first to the second."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for repeat in range(1 + repeats):
        for name, way in ways.items():
            elapsed, spent = time.perf_counter(), time.process_time()
            way()
            if repeat:  # the first is a warm-up
                taken[name].append((1000 * (time.perf_counter() - elapsed), 1000 * (time.process_time() - spent)))
    rows: list[dict[str, str | float]] = []
    for name, times in taken.items():
        median, least = statistics.median(t[0] for t in times), min(t[0] for t in times)
        spent = statistics.median(t[1] for t in times)
        rows.append(
            {
                "what": what,
                "memory": memory,
                "way": name,
                "median_ms": round(median, 1),
                "min_ms": round(least, 1),
                "cpu_ms": round(spent, 1),
            }
        )
        print(f"  {what:28} {memory:8} {name:8} {median:8.1f} ms (min {least:.1f}, cpu {spent:.1f})", flush=True)
    return rows


def with_ratios(rows: list[dict[str, str | float]]) -> list[dict[str, str | float]]:
    """How many times as fast as the literal version without the setting of memory, by processor time."""
    plain = {r["what"]: float(r["cpu_ms"]) for r in rows if (r["way"], r["memory"]) == ("literal", "default")}
    return [{**r, "times_as_fast": round(plain[r["what"]] / float(r["cpu_ms"]), 2)} for r in rows]


def problems(only: str) -> Iterator[tuple[str, Ways]]:
    """One after another, since each holds two gigabytes; says how far losses and g differ."""
    for name, feedback in (("iteration without feedback", False), ("iteration with feedback", True)):
        if name.startswith(only):
            iteration = Iteration(feedback)
            print(f"{name}: losses differ by {iteration.difference():.1e}", flush=True)
            yield name, {"literal": iteration.by_the_letter, "zslpipe": iteration.ours}
            del iteration
    for reading in ("paper", "released"):
        embedding = Embedding(reading)
        loss, letter = float(embedding.loss().detach()), float(embedding.literal_loss().detach())
        g = float((embedding.g() - embedding.literal_g()).abs().max() / embedding.literal_g().abs().max())
        print(f"SCEN, {reading}: losses differ by {abs(loss - letter) / letter:.1e}, g by {g:.1e}", flush=True)
        found: dict[str, Ways] = {f"g, {reading}": {"literal": embedding.literal_g, "zslpipe": embedding.g}}
        if reading == "paper":
            found["SCEN stage 1"] = {"literal": embedding.by_the_letter, "zslpipe": embedding.ours}
        yield from ((name, ways) for name, ways in found.items() if name.startswith(only))


def measured(memory: str, only: str, repeats: int) -> list[dict[str, str | float]]:
    """The times of all problems whose name starts with `only`."""
    rows = []
    for name, ways in problems(only):
        rows += timed(name, memory, ways, repeats)
        ways.clear()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--only", default="", help="what to measure: the start of its name")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rows = measured("default", asked.only, asked.repeats)
    keep_freed_memory()
    rows += measured("kept", asked.only, asked.repeats)
    write_table(result_file("generator_step", folder=asked.out), with_ratios(rows))


if __name__ == "__main__":
    main()
