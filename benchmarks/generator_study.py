"""What the departures of `tf-vaegan` from its paper are worth: one setting changed at a time, on a validation fold.

    python benchmarks/generator_study.py --store STORE [--epochs 2] [--seeds 1]

The first official fold of the training classes; no test image is read. `gfzsl` on the same fold, for comparison.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, write_table

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.heads import HEADS
from zslpipe.selection.fitting import fit
from zslpipe.selection.rules import UnseenClassValidation
from zslpipe.store.feature_store import FeatureStore

PAPER: dict[str, Any] = {
    "features": "range",
    "unit_length": False,
    "semantics": "unit",
    "fill_spread": False,
    "critic_steps": 5,
    "critic_weight": 10.0,
    "adaptive_penalty": True,
    "learning_rate": 1e-4,
    "feedback_rate": 1e-5,
    "decoder_rate": 1e-4,
}
VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "tf-vaegan": ("tf-vaegan", {}),
    "features in [0, 1]": ("tf-vaegan", {"features": "range"}),
    "features of any length": ("tf-vaegan", {"unit_length": False}),
    "semantics of unit length": ("tf-vaegan", {"semantics": "unit"}),
    "semantics of length 18": ("tf-vaegan", {"semantic_length": 18.0}),
    "no noise added": ("tf-vaegan", {"fill_spread": False}),
    "five critic steps": ("tf-vaegan", {"critic_steps": 5}),
    "no feedback": ("tf-vaegan", {"feedback": 0.0, "synthesis_amount": 0.0}),
    "no adversary": ("tf-vaegan", {"critic_weight": 1e-9}),
    "all as released": ("tf-vaegan", PAPER),
    "f-clswgan": ("f-clswgan", {}),
    "gfzsl": ("gfzsl", {"gamma": 0.3}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=2, help="Of tf-vaegan; f-clswgan has twice as many.")
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    keep_freed_memory()
    store = FeatureStore.open(asked.store)
    features, rule = store.features(), UnseenClassValidation(folds=1)
    (fold,) = rule.problems(store.benchmark)
    short = {"synthetic": 100, "classifier_epochs": 5, "precision": "bfloat16", "device": "cpu"}
    rows = []
    for label, (name, changes) in VARIANTS.items():
        length = {"epochs": asked.epochs * (2 if name == "f-clswgan" else 1)}
        settings = {**changes, **({} if name == "gfzsl" else {**short, **length})}
        found, started = [], time.process_time()
        for seed in range(asked.seeds):
            own = {} if name == "gfzsl" else {"seed": seed}
            head = fit(HEADS[name](**settings, **own), features, fold)
            found.append(rule.evaluate_fold(head, features, fold, store.benchmark).numbers)
        means = {k: f"{100 * np.mean([f[k] for f in found]):.1f}" for k in ("T1", "U", "S", "H", "AUSUC")}
        seconds = f"{(time.process_time() - started) / asked.seeds:.0f}"
        rows.append({"dataset": fold.name, "variant": label, **means, "processor s": seconds})
        rows[-1]["settings"] = " ".join(f"{k}={v}" for k, v in settings.items())
        print(rows[-1], flush=True)
        write_table(RESULTS / f"generator_study-torch{torch.__version__.split('+')[0]}.csv", rows)


if __name__ == "__main__":
    main()
