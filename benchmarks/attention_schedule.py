"""A whole training of the paper's schedule on CUB's shapes, from features on disk: how many minutes?

    python benchmarks/attention_schedule.py [--epochs 30] [--episodes 300] [--threads 2] [--precision float32]

The fused AttentionNet with SCE and ReMSE: 7057 training images of 150 classes, 49 regions x 2048 channels in float16,
312 attributes, word vectors of 300; epochs of 300 episodes, 16 ways x 2 shots. Features are random numbers, which take
as long as any. The time is that of `fit`: reading, placing, all steps.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, write_table

from zslpipe.heads import HEADS, Attributes
from zslpipe.workflows.versions import machine

IMAGES, REGIONS, CHANNELS, ATTRIBUTES, WORDS, SEEN, CLASSES = 7057, 49, 2048, 312, 300, 150, 200
LIMIT = 25.0  # minutes that were aimed at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="zslpipe-schedule-") as scratch:
        shape = (IMAGES, REGIONS, CHANNELS)
        regions = np.memmap(Path(scratch) / "regions.f16", np.float16, "w+", shape=shape)
        for row in regions:
            row[:] = np.maximum(rng.random((REGIONS, CHANNELS), np.float32) - 0.5, 0)
        labels = np.arange(IMAGES) % SEEN
        semantics = rng.random((CLASSES, ATTRIBUTES), np.float32)
        vectors = rng.normal(scale=0.35, size=(ATTRIBUTES, WORDS)).astype(np.float32)
        words = Attributes(tuple(f"attribute {i}" for i in range(ATTRIBUTES)), vectors)
        head = HEADS["remse"](
            epochs=options.epochs,
            sampling="episodes",
            episodes=options.episodes,
            optimiser="sgd",
            learning_rate=5e-4,
            precision=options.precision,
            width=1024,
            ratio=1.0,
            prototype_std=1.0,
        )
        started = time.monotonic()
        head.fit({"region": regions}, labels, semantics, words)
        minutes = (time.monotonic() - started) / 60
    steps = options.epochs * options.episodes
    print(f"{steps} steps in {minutes:.1f} minutes ({60000 * minutes / steps:.0f} ms a step), aimed at {LIMIT:g}")
    about = {"epochs": options.epochs, "episodes": options.episodes, "precision": options.precision}
    row = {**about, "threads": options.threads, "minutes": round(minutes, 1), "torch": torch.__version__, **machine()}
    write_table(RESULTS / f"attention_schedule-{options.precision}-torch{torch.__version__}.csv", [row])


if __name__ == "__main__":
    main()
