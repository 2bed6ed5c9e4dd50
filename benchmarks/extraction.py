"""Speed of feature extraction: a common loop, the forward pass alone, and the whole pipeline.

    python benchmarks/extraction.py --folder PHOTOS
    python benchmarks/extraction.py --device cuda --precision tf32 bfloat16 --batch-size 256 --images 8192 --from-memory

All use the same images, backbone and batch size, one after another in each of several rounds. Reported are medians over
the rounds, because the speed of a machine varies. The first round is a warm-up and is not counted.

- naive: float32, NCHW, `torch.no_grad()`, on decoded and normalised batches in memory;
- forward: the forward pass of zslpipe on each batch, on pixels in the device's memory;
- pipeline: reads, decodes, resizes, runs that forward pass and writes a store to disk;
- in memory (with --from-memory): the pipeline with decoded images from memory, without writing a store.

On a CPU the naive loop runs in its own process, because the allocator setting of `zslpipe extract`, which the others
use, would make it faster.
"""

import argparse
import itertools
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, device_name, result_file, write_table
from PIL import Image

from zslpipe.backbones import Backbone, Transform, create_model, load_backbone
from zslpipe.cli.memory import keep_freed_memory
from zslpipe.extract.batches import ImageFiles, Images, default_workers
from zslpipe.extract.pipeline import extract_images
from zslpipe.store.failure import Failure

DISTINCT = 1024  # further images repeat these
PIECE_BATCHES = 4
SEED = 0

Result = tuple[float, np.ndarray]  # seconds, global features (N, D)


@dataclass
class Way:
    """One way to compute features, and its measurements."""

    name: str
    precision: str
    run: Callable[[], Result]
    compared_to: str  # a way of the same precision, or naive
    seconds: list[float] = field(default_factory=list)
    features: np.ndarray = field(default_factory=lambda: np.empty(0))
    note: str = ""

    def round(self) -> None:
        seconds, self.features = self.run()
        self.seconds.append(seconds)


@dataclass
class Job:
    """What all ways have in common."""

    backbone: str
    weights: str
    device: str
    batch_size: int
    workers: int
    count: int
    pixels: np.ndarray  # (distinct images, H, W, 3) uint8
    transform: Transform

    @property
    def slices(self) -> list[slice]:
        """Batches of rows of `pixels`, repeated until all images are counted."""
        each = [slice(i, i + self.batch_size) for i in range(0, len(self.pixels), self.batch_size)]
        return list(itertools.islice(itertools.cycle(each), -(-self.count // self.batch_size)))

    @property
    def pieces(self) -> list[tuple[int, range]]:
        rows = self.batch_size * PIECE_BATCHES
        return [(i, range(at, min(at + rows, self.count))) for i, at in enumerate(range(0, self.count, rows))]


def naive_loop(job: Job) -> Callable[[], Result]:
    """What published code does: an unchanged timm model on float batches in PyTorch's default layout."""
    model: Any = create_model(job.backbone, job.weights, seed=SEED).to(job.device)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (job.transform.mean, job.transform.std))
    images = (torch.from_numpy(job.pixels).permute(0, 3, 1, 2) / 255 - mean) / std
    images = images.contiguous()

    def run() -> Result:
        found, start = [], time.perf_counter()
        with torch.no_grad():
            for rows in job.slices:
                batch = images[rows].to(job.device)
                found.append(model.forward_head(model.forward_features(batch), pre_logits=True).cpu())
        return time.perf_counter() - start, torch.cat(found).numpy()

    return run


def _serve(job: Job, pipe: Connection) -> None:
    run = naive_loop(job)
    while pipe.recv():
        pipe.send(run())


@contextmanager
def in_own_process(job: Job) -> Iterator[Callable[[], Result]]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(job, there), daemon=True)
    process.start()

    def run() -> Result:
        here.send(True)
        return here.recv()

    yield run
    here.send(False)
    process.join()


def forward_loop(job: Job, backbone: Backbone) -> Callable[[], Result]:
    images = torch.from_numpy(job.pixels).to(job.device)

    def run() -> Result:
        found, start = [], time.perf_counter()
        for rows in job.slices:
            found.append(backbone(images[rows])["global"])
        features = torch.cat(found).float().cpu().numpy()  # waits for the device
        return time.perf_counter() - start, features

    return run


@dataclass
class Memory:
    """Decoded images in memory, as images to extract from."""

    decoded: np.ndarray

    def pixels(self, row: int) -> np.ndarray:
        return self.decoded[row % len(self.decoded)]

    def path(self, row: int) -> Path:
        return Path(f"image {row}")


def pipeline(job: Job, backbone: Backbone, images: Images, store: Path | None, way: Way) -> Callable[[], Result]:
    features = np.empty((job.count, *backbone.taps["global"]), dtype=np.float32)

    def run() -> Result:
        write = None if store is None else new_store(store, job, backbone)

        def keep(piece: int, arrays: dict[str, np.ndarray], failures: dict[int, Failure]) -> None:
            if write is not None:
                write(piece, arrays, failures)
            rows = job.pieces[piece][1]
            features[rows.start : rows.stop] = arrays["global"]

        done = extract_images(backbone, images, job.pieces, keep, batch_size=job.batch_size, workers=job.workers)
        waits = f"waited {done.decode_wait_s:.2f} s for images and {done.write_wait_s:.2f} s for the store"
        way.note = f"limit: {done.limit}; {waits}, of {done.seconds:.2f} s"
        return done.seconds, features

    return run


def new_store(path: Path, job: Job, backbone: Backbone) -> Callable[..., None]:
    """The `write_piece` of a new store."""
    from zslpipe.data.benchmark import Benchmark
    from zslpipe.store.feature_store import FeatureStore
    from zslpipe.store.layout import TapSpec

    shutil.rmtree(path, ignore_errors=True)
    rows = np.arange(job.count)
    benchmark = Benchmark(
        name="photos",
        class_names=("seen", "unseen"),
        semantics=np.eye(2, dtype=np.float32),
        attribute_names=("a", "b"),
        image_ids=tuple(map(str, rows)),
        labels=(rows % 4 == 3).astype(np.int64),
        trainval=rows[rows % 4 < 2],
        test_seen=rows[rows % 4 == 2],
        test_unseen=rows[rows % 4 == 3],
    )
    taps = {tap: TapSpec(shape, "float16", backbone.grids[tap]) for tap, shape in backbone.taps.items()}
    provenance = {"fingerprinted": backbone.describe(), "recorded": {}}
    return FeatureStore.create(path, benchmark, taps, provenance, job.batch_size * PIECE_BATCHES).write_piece


def photos(folder: Path | None, count: int, scratch: Path) -> tuple[Path, list[str]]:
    """A folder of images and the ids of `count` of them; generated if no folder is given."""
    count = min(count, DISTINCT)
    if folder is not None:
        ids = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.jp*g"))[:count]
        return folder, ids
    rng = np.random.default_rng(SEED)
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        fine = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC)) + rng.normal(0, 6, (375, 500, 3))
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(scratch / f"{i}.jpg", quality=90)
    return scratch, [f"{i}.jpg" for i in range(count)]


def decode(files: ImageFiles, workers: int) -> tuple[np.ndarray, float]:
    """All pixels, and images per second."""
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        pixels = np.stack(list(pool.map(files.pixels, range(len(files.image_ids)))))
    return pixels, len(pixels) / (time.perf_counter() - start)


def worst_cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float((np.sum(a * b, 1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).min())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder of photos (default: generated ones of 500 x 375)")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--backbone", default="resnet101")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--from-memory", action="store_true")
    parser.add_argument("--no-store", action="store_true", help="skip the pipeline that writes a store")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def measure(options: argparse.Namespace, scratch: Path) -> tuple[list[Way], float]:
    """All ways after all rounds, and the speed of decoding alone."""
    backbones = {
        p: load_backbone(
            options.backbone, options.weights, precision=p, device=options.device, compile=options.compile, seed=SEED
        )
        for p in options.precision
    }
    transform = next(iter(backbones.values())).transform
    root, ids = photos(options.folder, options.images, scratch)
    ids = list(itertools.islice(itertools.cycle(ids), options.images))
    files = ImageFiles(root, ids, transform)
    pixels, decode_rate = decode(ImageFiles(root, ids[:DISTINCT], transform), options.workers)
    job = Job(
        options.backbone,
        options.weights,
        options.device,
        options.batch_size,
        options.workers,
        len(ids),
        pixels,
        transform,
    )
    with in_own_process(job) if options.device == "cpu" else nullcontext(naive_loop(job)) as naive:
        ways = [Way("naive", "float32", naive, "")]
        for precision, backbone in backbones.items():
            ways.append(Way("forward", precision, forward_loop(job, backbone), "naive"))
            for name, images, store in (("in memory", Memory(pixels), None), ("pipeline", files, scratch / "store")):
                if options.no_store if store else not options.from_memory:
                    continue
                way = Way(name, precision, lambda: (0.0, np.empty(0)), "forward")
                way.run = pipeline(job, backbone, images, store, way)
                ways.append(way)
        for _ in range(options.rounds + 1):
            for way in ways:
                way.round()
    return ways, decode_rate


def main() -> None:
    options = parse()
    if options.device == "cpu":
        keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="zslpipe-extraction-") as scratch:
        ways, decode_rate = measure(options, Path(scratch))
    by_name = {(way.name, way.precision): way for way in ways}
    table = []
    for way in ways:
        against = by_name.get((way.compared_to, way.precision)) or ways[0]
        count = len(way.features)
        table.append(
            {
                "way": way.name,
                "precision": way.precision,
                "images_per_second": round(statistics.median(count / s for s in way.seconds[1:]), 2),
                "ratio": round(statistics.median(b / a for a, b in zip(way.seconds[1:], against.seconds[1:])), 3),
                "to": against.name,
                "cosine_to_naive": round(worst_cosine(way.features, ways[0].features), 6),
                "note": way.note,
            }
        )
    table.append(
        {"way": "decode alone", "images_per_second": round(decode_rate, 2), "note": f"{options.workers} workers"}
    )
    settings = {k: getattr(options, k) for k in ("backbone", "weights", "compile", "batch_size", "images", "rounds")}
    device = device_name(options.device)
    print(device, f"torch {torch.__version__}", *(f"{k} {v}" for k, v in settings.items()), sep=", ")
    for row in table:
        print("  ".join(f"{row.get(k, '')!s:>{w}}" for k, w in zip(table[0], (12, 9, 9, 6, 8, 9, 0))))
    write_table(result_file("extraction", options.device, options.results), [{**row, **settings} for row in table])


if __name__ == "__main__":
    main()
