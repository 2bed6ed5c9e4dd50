"""Which weight of the regression terms validates, with and without centred semantics: no test image is read.

    python benchmarks/regression_grid.py --data-root DATA --cache CACHE [--only CUB50/att ...] [--losses sce ...]

The global branch of AttentionNet is trained with SCE and each regression term at each weight λ of a grid, in three
class-disjoint folds of the training images; T1, the best H and AUSUC are means over the folds.
"""

from itertools import product
from pathlib import Path

from common import result_file, write_table
from problems import problems
from validation import folds_of, grid_parser, means, measured

from zslpipe.heads.attention_net import AttentionNet
from zslpipe.selection.fitting import fit

PROBLEMS = (("CUB50", "att"), ("CUB", "att"), ("CUB", "sentences"), ("FLO", "att"))
GRID = {
    "sce": (0.0,),
    "sce+remse": (0.003, 0.01, 0.03, 0.1),
    "sce+nmse": (0.01, 0.015, 0.05, 0.15, 0.5),
    "sce+balanced-mse": (0.001, 0.01, 0.1, 1.0),
}


def main() -> None:
    parser = grid_parser(__doc__, epochs=15)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--only", nargs="+", default=(), metavar="DATASET/SEMANTICS")
    parser.add_argument("--losses", nargs="+", choices=GRID, default=list(GRID))
    parser.add_argument("--weights", nargs="+", type=float, metavar="λ", help="Only these; default: the grid.")
    options = parser.parse_args()
    terms = [
        (loss, weight)
        for loss in options.losses
        for weight in GRID[loss]
        if options.weights is None or weight in options.weights
    ]
    fixed = {"branch": "global", "epochs": options.epochs, "device": "cpu"}
    rows = []
    for dataset, semantics, features, benchmark in problems(PROBLEMS, options.data_root, options.cache, options.only):
        folds = folds_of(benchmark, options.folds)
        for centred, (loss, weight) in product((False, True), terms):
            settings = {"loss": loss, "regression_weight": weight, "centre_semantics": centred}
            head = AttentionNet(**fixed, **settings)  # type: ignore[arg-type]
            numbers = [measured(fit(head.with_params(), features, fold), features, fold) for fold in folds]
            about = {"store": dataset, "semantics": semantics, "origin": "centred" if centred else "as given"}
            rows.append({**about, "loss": loss, "λ": weight, **means(numbers), "folds": len(folds)})
            print(rows[-1], flush=True)
        write_table(result_file("regression_grid", folder=options.results), rows)


if __name__ == "__main__":
    main()
