"""`gfzsl` on the features of two backbones side by side: CUB50, by EfficientNet-Lite0 and by a ResNet's class scores.

    python benchmarks/gfzsl_backbones.py --data-root DATA --cache CACHE

Uses the stores `CUB50` and `CUB resnet1000` that `real_results.py` makes in CACHE; the images of the former are looked
up in the latter by their file names. Rows of both are scaled to unit length.
"""

import argparse
from pathlib import Path

import numpy as np
from common import result_file, write_table
from gfzsl_study import results

from zslpipe.data.semantics import load_semantics
from zslpipe.heads.gfzsl import Gfzsl
from zslpipe.store.catalog import newest_store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    options = parser.parse_args()
    few, all_ = newest_store(options.cache, "CUB50"), newest_store(options.cache, "cub")
    benchmark = load_semantics(few.benchmark, "att", options.data_root)
    row_of = {Path(image).name: row for row, image in enumerate(all_.benchmark.image_ids)}
    rows = np.array([row_of[Path(image).name] for image in benchmark.image_ids])
    lite = np.asarray(few.features()["global"][:], np.float32)
    scores = np.asarray(all_.features()["global"][:], np.float32)[rows]
    both = np.concatenate([x / np.linalg.norm(x, axis=1, keepdims=True) for x in (lite, scores)], 1)
    features = {"EfficientNet-Lite0": lite, "class scores of a ResNet": scores, "both side by side": both}
    table = [
        {"dataset": "CUB50", "semantics": "att", "features": name, **results(Gfzsl(), {"global": x}, benchmark)}
        for name, x in features.items()
    ]
    for row in table:
        print(row)
    write_table(result_file("gfzsl-backbones"), table)


if __name__ == "__main__":
    main()
