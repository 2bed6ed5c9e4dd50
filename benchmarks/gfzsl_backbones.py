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
from problems import problems

from zslpipe.heads.gfzsl import Gfzsl
from zslpipe.parts.scaling import unit_rows

PROBLEMS = (("CUB50", "att"), ("cub", "att"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    options = parser.parse_args()
    (*_, few, benchmark), (*_, all_, birds) = problems(PROBLEMS, options.data_root, options.cache)
    row_of = {Path(image).name: row for row, image in enumerate(birds.image_ids)}
    rows = np.array([row_of[Path(image).name] for image in benchmark.image_ids])
    lite, scores = (np.asarray(x, np.float32) for x in (few["global"], all_["global"][rows]))
    both = np.concatenate([unit_rows(x) for x in (lite, scores)], 1)
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
