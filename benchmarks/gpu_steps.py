"""Milliseconds of a training step of every head: literal, ours, compiled, as a CUDA graph, and in bfloat16."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import attention_step
import dense_attention_step
import generator_step
import numpy as np
import torch
from gpu_heads import HEADS_MEASURED, Problem, described
from gpu_timing import captured, forget_peak, peak_gib, seconds

from zslpipe.parts.check import check_training
from zslpipe.parts.task import Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.training import At
from zslpipe.training.placed import Placed

Row = dict[str, Any]
Ways = dict[str, Callable[[], Callable[[], Any]]]  # by name; made when called, since that may fail
REGIONS, WIDTH, TRUNK = 49, 2048, (14, 14, 1024)


def rows(device: str, quick: bool) -> Iterator[Row]:
    repeats = 1 if quick else 20
    for what, ways in (*attention(device, quick), *dense_attention(device, quick), *generators(device, quick)):
        yield from timed(what, ways, device, repeats)
    for name in HEADS_MEASURED:
        yield from of_head(name, device, quick, repeats)


def timed(what: str, ways: Ways, device: str, repeats: int) -> Iterator[Row]:
    """A row per way, with how many times as fast it is as the first."""
    first = 0.0
    for name, make in ways.items():
        forget_peak(device)
        try:
            taken = seconds(make(), device, repeats, warm=min(3, repeats))
        except Exception as problem:
            yield {"what": what, "way": name, "failed": (str(problem).splitlines() or ["?"])[0][:200]}
            continue
        first = first or taken
        about = {"ms": round(1000 * taken, 3), "times_as_fast": round(first / taken, 2)}
        yield {"what": what, "way": name, **about, "peak_gib": peak_gib(device)}


def attention(device: str, quick: bool) -> Iterator[tuple[str, Ways]]:
    """AttentionNet on CUB's shapes: literal and folded, in float32 and bfloat16, compiled and captured."""
    kind = "cuda" if device.startswith("cuda") else device

    def step(name: str, half: bool, batch: int) -> Callable[[], Callable[[], Any]]:
        return lambda: attention_step.Step(name, batch, kind, half)

    def compiled(batch: int) -> Callable[[], Any]:
        made = attention_step.Step("folded", batch, kind, True)
        made.loss = torch.compile(made.loss)  # type: ignore[method-assign]
        return made

    def graph(batch: int) -> Callable[[], Any]:
        made = attention_step.Step("folded", batch, kind, True)
        return captured(lambda: descend(made, kind), device)

    for batch in [4] if quick else [32, 256]:
        kinds: Ways = {name: step(name, half, batch) for name, half in (("literal", False), ("folded", False))}
        kinds |= {f"{name}, bfloat16": step(name, True, batch) for name in ("literal", "folded")}
        if not quick:
            kinds["folded, bfloat16, compiled"] = lambda batch=batch: compiled(batch)  # type: ignore[misc]
        kinds["folded, bfloat16, CUDA graph"] = lambda batch=batch: graph(batch)  # type: ignore[misc]
        yield f"attention-net, batch {batch}", kinds


def descend(step: attention_step.Step, kind: str) -> None:
    """The step itself, without the wait at its end; the parameters' gradients stay in place."""
    step.optimiser.zero_grad(set_to_none=False)
    with torch.autocast(kind, torch.bfloat16):
        predicted = step.net(step.regions)
    target = step.semantics[step.labels]
    regression, _ = attention_step.remse(
        predicted.float(), target, step.labels, attention_step.ALPHA, attention_step.BETA
    )
    loss = attention_step.sce(predicted.float(), step.semantics, step.labels) + 0.01 * regression
    loss.backward()
    step.optimiser.step()


def dense_attention(device: str, quick: bool) -> Iterator[tuple[str, Ways]]:
    """The autoencoder on SUN's shapes."""
    size = {"seen": 20, "classes": 24, "batch": 4} if quick else {}

    def step(way: str, half: bool = False) -> Callable[[], Any]:
        made = dense_attention_step.Step(**size, device=device)

        def work() -> None:
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
                made.step(way)

        return work

    ways: Ways = {way: lambda way=way: step(way) for way in ("literal", "zslpipe")}  # type: ignore[misc]
    ways["zslpipe, bfloat16"] = lambda: step("zslpipe", True)
    yield "dense-attention-ae", ways


def generators(device: str, quick: bool) -> Iterator[tuple[str, Ways]]:
    """An iteration of TF-VAEGAN on CUB's shapes."""
    for feedback in (False, True):

        def step(way: str, feedback: bool = feedback) -> Callable[[], Any]:
            made = generator_step.Iteration(feedback, device, **({"width": 32, "hidden": 32} if quick else {}))
            return made.by_the_letter if way == "literal" else made.ours

        ways: Ways = {way: lambda way=way: step(way) for way in ("literal", "zslpipe")}  # type: ignore[misc]
        yield f"tf-vaegan, {'with' if feedback else 'without'} feedback", ways


def of_head(name: str, device: str, quick: bool, repeats: int) -> Iterator[Row]:
    """Every stage of a head as `train-head` runs it, on features of ResNet101's shapes; without literal versions."""
    if quick:
        problem = Problem.small(HEADS_MEASURED[name])
    else:
        shapes = {"global": (WIDTH,), "region": (REGIONS, WIDTH), "trunk": TRUNK}
        backbone = described("resnet101", 224)
        problem = Problem.made(shapes, backbone, {"epochs": 1}, 256, 150, 200, 312, 300)
    for precision in ("float32",) if quick else ("float32", "bfloat16"):
        head = problem.head(name, device, precision=precision)
        if not isinstance(head, TorchHead):
            return
        for stage, step in steps_of(head, problem, device):
            what = f"{name}{', ' if stage else ''}{stage}"
            for row in timed(what, {f"zslpipe, {precision}": lambda step=step: step}, device, repeats):  # type: ignore[misc]
                yield {**row, "batch": getattr(head, "batch", "")}


def steps_of(head: TorchHead, problem: Problem, device: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name and step of each stage of a training, always on the first batch; no stage is trained to its end."""
    data = check_training(problem.features, problem.labels, problem.semantics, problem.attributes)
    head._pose(data)
    place = torch.device(device)
    head.module_ = head._with_tail(head.build(head.problem_)).to(place)
    seen, labels = np.unique(problem.labels, return_inverse=True)
    semantics = torch.tensor(problem.semantics, device=place)
    task = Task(semantics, torch.tensor(seen, device=place), problem.attributes)
    if head.tuning_:
        rows: Any = head.tuning_.made_rows(problem.features, place)
    else:
        rows = Placed(problem.features, tuple(head.problem_.taps), place)
    head.prepare(head.module_, rows, task)
    for stage in head.stages(rows, torch.from_numpy(labels).to(place), task):
        tuned = head.tuning_.stage(stage, 0, head.cast(place)) if head.tuning_ else stage
        batch = next(islice(tuned.batches.epoch(0), 1))
        tuned.learner.module.train()
        at = At(stage.name, 0, max(1, stage.epochs), 0, max(2, len(tuned.batches)))
        yield stage.name, lambda learner=tuned.learner, batch=batch, at=at: learner.step(batch, at)  # type: ignore[misc]
