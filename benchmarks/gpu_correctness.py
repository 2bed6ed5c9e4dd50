"""Features, losses and heads on a device against float32 on the CPU."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from gpu_heads import HEADS_MEASURED, Problem
from torch import Tensor

from zslpipe import losses
from zslpipe.backbones import load_backbone
from zslpipe.heads import Head

Row = dict[str, Any]
TAPS = ("global", "region")


def precisions(device: str) -> list[str]:
    return ["float32", "bfloat16"] if device == "cpu" else ["float32", "tf32", "bfloat16", "float16"]


def rows(device: str, quick: bool) -> Iterator[Row]:
    backbones = ["resnet18", "vit_tiny_patch16_224"] if quick else ["resnet101", "vit_base_patch16_224"]
    for name in backbones:
        yield from features(name, device, 4 if quick else 64)
    for name in LOSSES:
        yield of_loss(name, device)
    for name in HEADS_MEASURED:
        yield of_head(name, device)


def features(name: str, device: str, count: int) -> Iterator[Row]:
    """Cosines of all vectors, and the largest difference relative to the largest value."""
    plain = load_backbone(name, "random", taps=TAPS)
    pixels = torch.randint(256, (count, *plain.transform.size, 3), dtype=torch.uint8)
    expected = plain(pixels)
    for precision in precisions(device):
        found = load_backbone(name, "random", taps=TAPS, precision=precision, device=device)(pixels)
        for tap, values in expected.items():
            row = compared(found[tap].float().cpu(), values)
            yield {"what": f"{name}, {tap}", "precision": precision, **row}


def compared(found: Tensor, expected: Tensor) -> Row:
    cosine = torch.nn.functional.cosine_similarity(found.double(), expected.double(), dim=-1).min()
    return {"least_cosine": f"{float(cosine):.7f}", "largest_difference": f"{difference(found, expected):.1e}"}


def difference(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max().clamp_min(1e-30))


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "sce": lambda p, s, y: losses.sce(p, s, y),
    "mse": lambda p, s, y: losses.mse(p, s[y]),
    "nmse": lambda p, s, y: losses.nmse(p, s[y]),
    "remse": lambda p, s, y: losses.remse(p, s[y], y, 0.1, 0.75)[0],
    "balanced_mse": lambda p, s, y: losses.balanced_mse(p, s[y]),
    "l1_reconstruction": lambda p, s, y: losses.l1_reconstruction(p, s[y]),
    "cubic_reconstruction": lambda p, s, y: losses.cubic_reconstruction(p, s[y]),
}


def of_loss(name: str, device: str) -> Row:
    """Its value and its gradient."""
    torch.manual_seed(0)
    predicted, semantics, labels = torch.randn(64, 312), torch.rand(150, 312), torch.randint(150, (64,))
    both = []
    for place in ("cpu", device):
        p = predicted.to(place).requires_grad_()
        value = LOSSES[name](p, semantics.to(place), labels.to(place))
        value.backward()
        assert p.grad is not None
        both.append((value.detach().cpu(), p.grad.cpu()))
    (value, gradient), (found, its) = both
    worst = max(difference(found, value), difference(its, gradient))
    return {"what": f"loss {name}", "precision": "float32", "largest_difference": f"{worst:.1e}"}


def of_head(name: str, device: str) -> Row:
    """Scores of a head that was trained on the CPU, and the accuracies of heads trained on either."""
    problem = Problem.small(HEADS_MEASURED[name])
    here, there = problem.fitted(name, "cpu"), problem.fitted(name, device)
    moved = here.with_params(**({"device": device} if "device" in here.get_params() else {}))
    moved.problem_ = here.problem_
    moved.load_state(here.state())
    scores = [torch.from_numpy(scored(head, problem)) for head in (moved, here)]
    right = [f"{np.mean(scored(head, problem).argmax(1) == problem.labels):.3f}" for head in (here, there)]
    return {
        "what": f"head {name}",
        "precision": "float32",
        "largest_difference": f"{difference(*scores):.1e}",
        "accuracy_cpu": right[0],
        "accuracy_device": right[1],
    }


def scored(head: Head, problem: Problem) -> np.ndarray:
    return head.decision_function(problem.features, problem.semantics)
