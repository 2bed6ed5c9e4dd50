"""Do normalised words, scaled logits or another learning rate help attention on frozen features? No test image is read.

    python benchmarks/attention_grid.py STORE [--epochs 8] [--folds 2] [--seeds 1] [--only TEXT ...] [--results FOLDER]

Heads that attend to regions are trained with the options of their attention on and off and at several learning rates,
in class-disjoint folds of the training images. T1, the best H, AUSUC and H at δ = 0 are means over folds and seeds,
after every fourth epoch; *entropy* is that of the attention maps in nats (49 regions have at most 3.89).
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import result_file, write_table
from validation import by_epoch, folds_of, grid_parser, means, measured

from zslpipe.data.benchmark import Benchmark
from zslpipe.heads import HEADS, Head
from zslpipe.parts.attends import AttendsByAttribute
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.rows import Features, take

EVERY = 4  # epochs between measurements
LOOKED_AT = 100  # held-out images whose maps are measured
RATES = (1e-3, 3e-3, 3e-4)  # the default first
OPTIONS: dict[str, dict[str, Any]] = {
    "as in the paper": {},
    "unit words": {"normalise_words": True},
    "scaled logits": {"scale_attention": True},
    "both": {"normalise_words": True, "scale_attention": True},
}


def variants() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Head, variant and settings; the global branch, which has no maps, is there to compare.

    The options of `gem` are tried at one learning rate: on frozen features its scores do not depend on its maps.
    """
    for rate in RATES:
        yield "attention-net", "global", {"branch": "global", "loss": "sce", "learning_rate": rate}
    for branch, rates in (("attention", RATES), ("fused", RATES[:1])):
        for rate, (option, settings) in product(rates, OPTIONS.items()):
            fixed = {"branch": branch, "loss": "sce", "learning_rate": rate}
            yield "attention-net", f"{branch}, {option}", {**fixed, **settings}
    for option, settings in OPTIONS.items():
        yield "gem", option, {"learning_rate": RATES[0], **settings}
    for rate in RATES[1:]:
        yield "gem", "as in the paper", {"learning_rate": rate}
    for rate in RATES:
        yield "apn", "default", {"learning_rate": rate}


def entropy(head: Head, features: Features, fold: Benchmark) -> float:
    """The mean entropy of the attention maps of some held-out images, in nats."""
    assert isinstance(head, AttendsByAttribute)
    some = fold.test_unseen[:: 1 + len(fold.test_unseen) // LOOKED_AT]
    maps = head.attention(take(features, some)).astype(np.float64)  # (N, R, A)
    return float(-(maps * np.log(maps.clip(1e-30))).sum(1).mean())


def main() -> None:
    parser = grid_parser(__doc__, epochs=8, folds=2)
    parser.add_argument("store", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="Variants whose head, name and rate contain a text."
    )
    options = parser.parse_args()
    store = FeatureStore.open(options.store)
    features, folds = store.features(), folds_of(store.benchmark, options.folds)
    rows: list[dict[str, Any]] = []
    for name, variant, settings in variants():
        if not any(text in f"{name}, {variant}, {settings['learning_rate']}" for text in options.only):
            continue
        found: dict[int, list[dict[str, float]]] = {}
        entropies: dict[int, list[dict[str, float]]] = {}
        for seed, fold in product(range(options.seeds), folds):
            head = HEADS[name](precision="bfloat16", device="cpu", seed=seed, **settings)  # type: ignore[call-arg]
            for epoch, fitted in by_epoch(head, features, fold, options.epochs, EVERY):
                found.setdefault(epoch, []).append(measured(fitted, features, fold))
                if settings.get("branch") != "global":
                    entropies.setdefault(epoch, []).append({"entropy": entropy(fitted, features, fold)})
        about = {"store": store.benchmark.name, "head": name, "variant": variant, "rate": settings["learning_rate"]}
        for epoch in sorted(found):
            numbers = {**means(found[epoch]), **(means(entropies[epoch], digits=2) if entropies else {})}
            rows.append({**about, "epochs": epoch, **numbers, "folds": len(folds), "seeds": options.seeds})
            print(rows[-1], flush=True)
        write_table(result_file("attention_grid", folder=options.results), rows)


if __name__ == "__main__":
    main()
