"""Images per second of the forward pass, of the pipeline around it, and of what the device could do at most."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction import Job, Memory, Way, photos, pipeline
from gpu_timing import captured, forget_peak, peak_gib, seconds
from torch.utils.flop_counter import FlopCounterMode

from zslpipe.backbones import Backbone, load_backbone
from zslpipe.extract.batches import ImageFiles, default_workers

Row = dict[str, Any]
SIDE = 8192  # of the matrices whose product gives the most operations per second


def rows(device: str, quick: bool) -> Iterator[Row]:
    backbones = ["resnet18"] if quick else ["resnet101", "vit_base_patch16_224"]
    batches = [4] if quick else [64, 256, 1024]
    precisions = ["float32", "bfloat16"] if device == "cpu" else ["bfloat16", "tf32", "float32"]
    most = {p: most_operations(p, device, 256 if quick else SIDE) for p in precisions}
    with tempfile.TemporaryDirectory(prefix="zslpipe-gpu-") as scratch:
        folder, ids = photos(None, 16 if quick else 1024, Path(scratch))
        for name in backbones:
            for precision in precisions:
                plain = load_backbone(name, "random", precision=precision, device=device, taps=("global",))
                operations = operations_of(name)
                for batch in batches:
                    count = 4 * batch if quick else max(8192, 8 * batch)
                    about = {"backbone": name, "precision": precision, "batch": batch}
                    ways = forward_ways(plain, name, precision, device, batch)
                    yield from of_batch(
                        about, plain, ways, Path(folder), ids, device, count, operations, most[precision]
                    )


def most_operations(precision: str, device: str, side: int) -> float:
    """Floating-point operations per second of a large matrix product in a precision."""
    from zslpipe.backbones.engine import PRECISIONS, tf32

    a = torch.randn(side, side, device=device, dtype=PRECISIONS[precision])
    with tf32(precision == "tf32"):
        return 2 * side**3 / seconds(lambda: a @ a, device)


def operations_of(name: str) -> float:
    """Of the forward pass of one image."""
    net = load_backbone(name, "random", taps=("global",))
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros((1, *net.transform.size, 3), dtype=torch.uint8))
    return float(counter.get_total_flops())


def forward_ways(
    plain: Backbone, name: str, precision: str, device: str, batch: int
) -> dict[str, Callable[[], Callable[[], Any]]]:
    """The forward pass on a batch in the device's memory, by name; made when called, since that may fail or be slow."""
    pixels = torch.randint(256, (batch, *plain.transform.size, 3), dtype=torch.uint8).to(device)

    def compiled() -> Callable[[], Any]:
        net = load_backbone(name, "random", precision=precision, device=device, taps=("global",), compile=True)
        return lambda: net(pixels)

    ways: dict[str, Callable[[], Callable[[], Any]]] = {"forward": lambda: lambda: plain(pixels)}
    ways["CUDA graph"] = lambda: captured(lambda: plain(pixels), device)
    if device != "cpu":
        ways["compiled"] = compiled
    return ways


def of_batch(
    about: Row,
    backbone: Backbone,
    ways: dict[str, Callable[[], Callable[[], Any]]],
    folder: Path,
    ids: list[str],
    device: str,
    count: int,
    operations: float,
    most: float,
) -> Iterator[Row]:
    forward, batch = 0.0, about["batch"]
    for way, make in ways.items():
        forget_peak(device)
        try:
            rate = batch / seconds(make(), device, repeats=5 if device == "cpu" else 20)
        except Exception as problem:
            yield {**about, "way": way, "failed": (str(problem).splitlines() or ["?"])[0][:200]}
            continue
        forward = forward or rate
        yield {**about, **told(way, rate, forward), "of_roofline": round(rate * operations / most, 3), **used(device)}
    repeated = [ids[i % len(ids)] for i in range(count)]
    files = ImageFiles(folder, repeated, backbone.transform)
    decoded = np.stack([files.pixels(row) for row in range(min(len(ids), 64))])
    job = Job(about["backbone"], "random", device, batch, default_workers(), count, decoded, backbone.transform)
    for name, images in (("pipeline from memory", Memory(decoded)), ("pipeline from files", files)):
        forget_peak(device)
        way = Way(name, about["precision"], lambda: (0.0, np.empty(0)), "forward")
        run = pipeline(job, backbone, images, None, way)
        run()
        yield {**about, **told(name, count / run()[0], forward), **used(device), "note": way.note}


def told(way: str, rate: float, forward: float) -> Row:
    return {"way": way, "images_per_second": round(rate, 1), "of_forward": round(rate / forward, 3) if forward else ""}


def used(device: str) -> Row:
    return {"peak_gib": peak_gib(device)}
