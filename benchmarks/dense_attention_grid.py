"""Do the parts of the dense-attention autoencoder work, and do they help? On validation classes: no test image is read.

    python benchmarks/dense_attention_grid.py STORE [--epochs 4] [--folds 3] [--results FOLDER]

The head is trained with each part switched off and at several gains of the attention, in class-disjoint folds of the
training images. *reconstruction* is the squared error of decoded encodings of unit vectors (zero has 1), *matching* the
mean squared error of the cosines of encodings, *maps* the mean total variation between the maps of two classes. All are
means over the folds.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, result_file, write_table

from zslpipe.data.splits import validation_splits
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.protocol import score_tests
from zslpipe.heads.dense_attention_ae import DenseAttentionAE
from zslpipe.selection.fitting import fit
from zslpipe.store.feature_store import FeatureStore

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "without SR": {"eta": 0.0},
    "without matching": {"alpha": 0.0},
    "decoupled": {"coupled": False},
    "uniform attention": {"attention_gain": 0.0},
    "gain 1": {"attention_gain": 1.0},
    "gain 3": {"attention_gain": 3.0},
    "H not centred": {"centre_latent": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    store = FeatureStore.open(options.store)
    folds = [store.benchmark.fold(split) for split in validation_splits(store.benchmark, options.folds)]
    rows = []
    for name, settings in VARIANTS.items():
        fixed = {"epochs": options.epochs, "learning_rate": 1e-3, "precision": "bfloat16", "device": "cpu"}
        measured, health = [], []
        for fold in folds:
            head = fit(DenseAttentionAE(**fixed, **settings), store.features(), fold)
            tests = score_tests(head, store.features(), fold)
            curve = Curve.of(tests.scores, tests.labels, tests.seen)
            measured.append((curve.T1, curve.best().H, curve.ausuc(), curve.at(0.0).H))
            health.append(head.health_)  # type: ignore[attr-defined]
        numbers = zip(("T1", "H", "AUSUC", "H at δ=0"), np.mean(measured, axis=0))
        parts = {part: f"{np.mean([one[part] for one in health]):.3f}" for part in health[0]}
        row = {"store": store.benchmark.name, "variant": name, **{k: f"{100 * v:.1f}" for k, v in numbers}, **parts}
        rows.append({**row, "epochs": options.epochs, "folds": len(folds)})
        print(rows[-1], flush=True)
        write_table(result_file("dense_attention_grid", folder=options.results), rows)


if __name__ == "__main__":
    main()
