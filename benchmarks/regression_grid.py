"""Which weight of the regression terms validates, with and without centred semantics: no test image is read.

    python benchmarks/regression_grid.py STORE [--epochs 15] [--results FOLDER]

The global branch of AttentionNet is trained with SCE and each regression term at each weight λ of a grid, in three
class-disjoint folds of the training images; T1, the best H and AUSUC are means over the folds.
"""

import argparse
from pathlib import Path

import numpy as np
from common import RESULTS, result_file, write_table

from zslpipe.data.splits import validation_splits
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.protocol import score_tests
from zslpipe.heads.attention_net import AttentionNet
from zslpipe.selection.fitting import fit
from zslpipe.store.feature_store import FeatureStore

GRID = {
    "sce": (0.0,),
    "sce+remse": (0.003, 0.01, 0.03, 0.1),
    "sce+nmse": (0.01, 0.05, 0.15, 0.5),
    "sce+balanced-mse": (0.01, 0.1, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    store = FeatureStore.open(options.store)
    features = {"global": np.asarray(store.features()["global"][:], np.float32)}
    folds = [store.benchmark.fold(split) for split in validation_splits(store.benchmark, 3)]
    rows = []
    for centred in (True, False):
        for loss, weights in GRID.items():
            for weight in weights:
                settings = {"loss": loss, "regression_weight": weight, "centre_semantics": centred}
                head = AttentionNet(branch="global", epochs=options.epochs, device="cpu", **settings)  # type: ignore[arg-type]
                measured = []
                for fold in folds:
                    tests = score_tests(fit(head.with_params(), features, fold), features, fold)
                    curve = Curve.of(tests.scores, tests.labels, tests.seen)
                    measured.append((curve.T1, curve.best().H, curve.ausuc()))
                numbers = {name: f"{100 * v:.1f}" for name, v in zip(("T1", "H", "AUSUC"), np.mean(measured, axis=0))}
                about = {"store": store.benchmark.name, "semantics": "centred" if centred else "as given"}
                rows.append({**about, "loss": loss, "λ": weight, **numbers})
                print(rows[-1], flush=True)
    write_table(result_file("regression_grid", folder=options.results), rows)


if __name__ == "__main__":
    main()
