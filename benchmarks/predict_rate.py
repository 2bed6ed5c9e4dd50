"""Speed of naming new images, compared with extracting their features into a store.

    python benchmarks/predict_rate.py RUN --cache cache --images 1024

Both go through the same images in turns; reported are medians over the rounds, after one that is not counted. The run
must have been trained on features that zslpipe extracted.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import zslpipe
from zslpipe.cli.memory import keep_freed_memory
from zslpipe.data.benchmark import Benchmark
from zslpipe.extract.pipeline import extract
from zslpipe.serving.predictor import Predictor
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec, good_piece_rows

WARM_UP = 1  # rounds that are not counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    keep_freed_memory()
    predictor = zslpipe.load(options.run, cache=options.cache, device=options.device)
    store = zslpipe.open_store(predictor.images.source)
    rates: dict[str, list[float]] = {"extract": [], "predict": []}
    for number in range(WARM_UP + options.rounds):
        measured = one_round(predictor, store, options.images)
        if number >= WARM_UP:
            for name, rate in measured.items():
                rates[name].append(rate)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.1f} images a second ({', '.join(f'{rate:.1f}' for rate in rates[name])})")
    print(f"predict runs at {medians['predict'] / medians['extract']:.3f} times the rate of extract")


def one_round(predictor: Predictor, store: FeatureStore, images: int) -> dict[str, float]:
    """Images per second of both."""
    benchmark = store.benchmark
    root, ids = benchmark.image_root, benchmark.image_ids[:images]
    assert root is not None
    with tempfile.TemporaryDirectory() as folder:
        made = new_store(Path(folder) / "store", store, benchmark, predictor)
        pieces = [(p, made.piece_rows_of(p)) for p in made.missing_pieces() if made.piece_rows_of(p).stop <= len(ids)]
        count = sum(len(rows) for _, rows in pieces)
        extracted = extract(predictor.images.backbone, root, benchmark.image_ids, pieces, made.write_piece)
    named = predictor.timed([root / i for i in ids[:count]])
    return {"extract": extracted.rate, "predict": named.rate}


def new_store(path: Path, like: FeatureStore, benchmark: Benchmark, predictor: Predictor) -> FeatureStore:
    """An empty store of the taps that the head reads."""
    taps: dict[str, Any] = {tap: like.taps[tap] for tap in predictor.images.taps}
    row_bytes = sum(2 * int(spec.shape[-1]) for spec in taps.values() if isinstance(spec, TapSpec))
    rows = min(good_piece_rows(len(benchmark.labels), row_bytes), 256)
    return FeatureStore.create(path, benchmark, taps, like.provenance, piece_rows=rows)


if __name__ == "__main__":
    main()
