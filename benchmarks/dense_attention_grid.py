"""Do the parts of the dense-attention autoencoder work, and do they help? On validation classes: no test image is read.

    python benchmarks/dense_attention_grid.py STORE [--variants VARIANT ...] [--epochs 4] [--folds 3] [--results FOLDER]

The head is trained with each part switched off and at several gains of the attention, in class-disjoint folds of the
training images. *reconstruction* is the squared error of decoded encodings of unit vectors (zero has 1), *matching* the
mean squared error of the cosines of encodings, *maps* the mean total variation between the maps of two classes. All are
means over the folds.
"""

from pathlib import Path
from typing import Any

from common import result_file, write_table
from validation import folds_of, grid_parser, means, measured

from zslpipe.heads.dense_attention_ae import DenseAttentionAE
from zslpipe.selection.fitting import fit
from zslpipe.store.feature_store import FeatureStore

VARIANTS: dict[str, dict[str, Any]] = {
    "gain 0.3": {"attention_gain": 0.3},
    "gain 1": {"attention_gain": 1.0},
    "gain 2": {"attention_gain": 2.0},
    "uniform attention": {"attention_gain": 0.0},
    "without SR": {"eta": 0.0},
    "without matching": {"alpha": 0.0},
    "decoupled": {"coupled": False},
    "H not centred": {"centre_latent": False},
}


def main() -> None:
    parser = grid_parser(__doc__, epochs=4)
    parser.add_argument("store", type=Path)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    store = FeatureStore.open(options.store)
    folds = folds_of(store.benchmark, options.folds)
    fixed = {"epochs": options.epochs, "learning_rate": 1e-3, "precision": "bfloat16", "device": "cpu"}
    rows = []
    for name in options.variants:
        numbers, health = [], []
        for fold in folds:
            head = fit(DenseAttentionAE(**fixed, **VARIANTS[name]), store.features(), fold)
            numbers.append(measured(head, store.features(), fold))
            health.append(head.health_)  # type: ignore[attr-defined]
        row = {"store": store.benchmark.name, "variant": name, **means(numbers), **means(health, digits=3)}
        rows.append({**row, "epochs": options.epochs, "folds": len(folds)})
        print(rows[-1], flush=True)
        write_table(result_file("dense_attention_grid", folder=options.results), rows)


if __name__ == "__main__":
    main()
