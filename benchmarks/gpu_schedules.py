"""Minutes of whole trainings: AttentionNet and TF-VAEGAN on CUB's shapes, and an epoch of fine-tuning on FLO's."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from extraction import photos
from gpu_heads import Problem, described
from gpu_timing import forget_peak, peak_gib

from zslpipe.store.rows import IMAGE

Row = dict[str, Any]


def rows(device: str, quick: bool) -> Iterator[Row]:
    work: dict[str, Callable[[str, bool], Row]] = {
        "attention-net": attention,
        "tf-vaegan": generator,
        "fine-tuning": tuning,
    }
    for name, run in work.items():
        forget_peak(device)
        try:
            found = run(device, quick)
        except Exception as problem:
            found = {"failed": f"{type(problem).__name__}: {str(problem)[:200]}"}
        yield {"what": name, **found, "peak_gib": peak_gib(device)}


def trained(problem: Problem, name: str, device: str, **settings: Any) -> Row:
    started = time.monotonic()
    problem.fitted(name, device, **settings)
    return {"minutes": round((time.monotonic() - started) / 60, 3), **settings}


def attention(device: str, quick: bool) -> Row:
    """The released schedule: 30 epochs of 300 episodes of 16 ways x 2 shots."""
    episodes = {"sampling": "episodes", "ways": 4 if quick else 16, "shots": 2}
    if quick:
        return trained(Problem.small({}), "remse", device, epochs=1, episodes=3, **episodes)
    problem = Problem.made({"region": (49, 2048)}, {}, {}, 7057, 150, 200, 312, 300)
    own = {"optimiser": "sgd", "learning_rate": 5e-4, "width": 1024, "ratio": 1.0, "prototype_std": 1.0}
    return trained(problem, "remse", device, epochs=30, episodes=300, precision="bfloat16", **own, **episodes)


def generator(device: str, quick: bool) -> Row:
    """300 epochs, the classifiers of the end included."""
    if quick:
        own = {"hidden": 16, "synthetic": 10, "classifier_epochs": 1}
        return trained(Problem.small({}), "tf-vaegan", device, epochs=1, **own)
    problem = Problem.made({"global": (2048,)}, {}, {}, 7057, 150, 200, 312, 300)
    return trained(problem, "tf-vaegan", device, epochs=300, hidden=4096, batch=64, synthetic=300)


def tuning(device: str, quick: bool) -> Row:
    """An epoch of the last stage and a linear head from augmented images of 500 x 375 pixels, decoding included."""
    model, size, images, batch = ("test_resnet", 64, 24, 8) if quick else ("resnet101", 224, 5631, 64)
    with tempfile.TemporaryDirectory(prefix="zslpipe-gpu-") as scratch:
        folder, ids = photos(None, min(images, 1024), Path(scratch))
        problem = Problem.made({}, described(model, size), {}, images, 82, 102, 1024, 5)
        files = np.array([str(Path(folder) / ids[i % len(ids)]) for i in range(images)])
        problem.features[IMAGE] = files
        own = {"branch": "global", "mode": "end-to-end", "batch": batch, "workers": 2 if quick else 16}
        found = trained(problem, "remse", device, epochs=1, precision="bfloat16", **own)
    return {**found, "images": images, "backbone": model}
