"""Tables of real results, through the command line alone: import or extract, train, evaluate.

    python benchmarks/real_results.py spine gaussians remse reweighting dense-attention --data-root DATA --cache CACHE
    python benchmarks/real_results.py fine-tuning bgsnet generative sc-egg --seeds 3 --data-root DATA --cache CACHE

Each suite writes benchmarks/results/real-SUITE-torchVERSION.csv, a row a run: validated numbers first, then those at
δ = 0, then the oracle's H. Stores that are in the cache already are used again; every run is trained anew.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from click.testing import CliRunner
from common import RESULTS, write_table

from zslpipe.cli import main as main_command
from zslpipe.evaluation.metrics import accuracies
from zslpipe.evaluation.scores import read_scores
from zslpipe.evaluation.stacking import rivals

BACKBONE = "tf_efficientnet_lite0"
SMALL = "CUB50, a third at 128 px"
METRICS = ("T1", "U", "S", "H", "AUSUC")


class Commands:
    """`zslpipe` with the places filled in; every call is printed as a person would type it."""

    def __init__(self, data_root: Path, cache: Path, jobs: int = 1) -> None:
        self.jobs = jobs
        self.places = ["--data-root", str(data_root), "--cache", str(cache)]

    def __call__(self, *line: str) -> Any:
        print("zslpipe", *line, flush=True)
        if self.jobs == 1:  # in this process, which has loaded torch already
            done = CliRunner().invoke(main_command, [*line, *self.places, "--json"], catch_exceptions=False)
            if done.exit_code:
                raise SystemExit(done.stderr)
            return json.loads(done.stdout)
        command = [sys.executable, "-m", "zslpipe", *line, *self.places, "--json"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.jobs))}
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return json.loads(ran.stdout)


def make_store(zslpipe: Commands, name: str, data: Path, cache: Path) -> str:
    """The folder of a store by its name in the tables."""
    package = ("--backbone", BACKBONE, "--weights", "package")
    birds, tables = data / "images" / "CUB50", cache / "tables" / "CUB50"
    if name.startswith("CUB50") and not tables.is_dir():
        zslpipe("data", "table", "cub", str(birds), "--out", str(tables))
    if name == SMALL:
        tables = every_third(tables, cache / "tables" / "CUB50-third")
    small = ("--dataset", str(birds), "--class-table", str(tables))
    lines = {
        "CUB resnet1000": (
            *("import", str(data / "xlsa17/data/CUB/resnet1000.mat")),
            *("--dataset", "cub", "--name", "resnet1000"),
        ),
        "CUB50": ("extract", *package, *small),
        SMALL: ("extract", *package, *small, "--image-size", "128", "--taps", "global,region,trunk"),
        "FLO": ("extract", *package, "--dataset", "flo"),
    }
    return str(zslpipe(*lines[name])["store"])


def every_third(tables: Path, out: Path) -> Path:
    """A copy of a dataset's tables with every third image, in the order of the list."""
    shutil.copytree(tables, out, dirs_exist_ok=True)
    head, *images = (tables / "images.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (out / "images.csv").write_text("".join([head, *images[::3]]), encoding="utf-8")
    return out


class Task(NamedTuple):
    """One row: a head and its settings on a store, selected by the default rule or with these options of it."""

    store: str
    semantics: str
    label: str
    head: str
    settings: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()


BIRDS = ("epochs=12", "precision=bfloat16")  # of the heads that look at regions: they are slow, and settled by then
LOSSES = {"SCE": ("loss=sce",), "SCE + ReMSE": ("loss=sce+remse",), "SCE + Balanced MSE": ("loss=sce+balanced-mse",)}


def spine() -> list[Task]:
    """The closed form and the global branch of ReMSE on everything; on CUB also a stronger ridge than is chosen."""
    closed, linear = ("eszsl", "eszsl"), ("remse, global", "remse", ("branch=global",))
    strong = ("eszsl, γ = 10, λ = 1", "eszsl", ("gamma=10", "lambda_=1"))
    birds = (("CUB resnet1000", "att"), ("CUB resnet1000", "sentences"))
    tasks = [Task(*problem, *head) for problem in birds for head in (closed, strong, linear)]
    return tasks + [Task(store, "att", *head) for store in ("CUB50", "FLO") for head in (closed, linear)]


def remse() -> list[Task]:
    """Table IV of Ye et al. (2023): branches with and without ReMSE; on CUB50 also Balanced MSE instead of it."""

    def row(store: str, semantics: str, branch: str, loss: str, more: tuple[str, ...] = ()) -> Task:
        return Task(store, semantics, f"{branch}, {loss}", "attention-net", (f"branch={branch}", *LOSSES[loss], *more))

    problems = (("CUB resnet1000", "att"), ("CUB resnet1000", "sentences"), ("FLO", "att"))
    rows = [row(*problem, "global", loss) for problem in problems for loss in ("SCE", "SCE + ReMSE")]
    rows += [row("CUB50", "att", "global", loss) for loss in LOSSES]
    rows += [row("CUB50", "att", "attention", loss, BIRDS) for loss in ("SCE", "SCE + ReMSE")]
    return rows + [row("CUB50", "att", "fused", loss, BIRDS) for loss in LOSSES]


def regression() -> list[Task]:
    """What centring gives, what the regression terms add, and whether ReMSE's weights or their size does it.

    0.003 is the λ of 0.003, 0.01, 0.03 and 0.1 that validates best for ReMSE without centring, 0.01 the head's default,
    and 0.01 the best of 0.01, 0.1 and 1 for Balanced MSE. "Same size" is the normalised MSE at a λ 5.2 times as large,
    since so much larger the weights of ReMSE make the term.
    """
    terms = {
        "SCE": ("loss=sce",),
        "SCE + ReMSE, λ = 0.003": ("loss=sce+remse", "regression_weight=0.003"),
        "SCE + ReMSE, λ = 0.01": ("loss=sce+remse", "regression_weight=0.01"),
        "SCE + normalised MSE, same size as 0.01": ("loss=sce+nmse", "regression_weight=0.052"),
        "SCE + Balanced MSE, λ = 0.01": ("loss=sce+balanced-mse", "regression_weight=0.01"),
    }
    ways = {"not centred": ("false", list(terms)), "centred": ("true", ["SCE", "SCE + ReMSE, λ = 0.01"])}
    fixed = ("branch=global", "epochs=15")
    return [
        Task("CUB50", "att", f"{name}, {way}", "attention-net", (*fixed, *terms[name], f"centre_semantics={centre}"))
        for way, (centre, names) in ways.items()
        for name in names
    ]


def dense_attention() -> list[Task]:
    """Table 3 of Li & Wang (2019), and each part; "without calibration" are the columns at δ = 0."""
    variants = {
        "full": (),
        "without SR": ("eta=0",),
        "without matching": ("alpha=0",),
        "decoupled": ("coupled=false",),
        "uniform attention": ("attention_gain=0",),
    }
    fixed = ("epochs=4", "learning_rate=0.001", "precision=bfloat16")
    return [Task("CUB50", "att", name, "dense-attention-ae", (*switch, *fixed)) for name, switch in variants.items()]


def gaussians() -> list[Task]:
    """Classes as Gaussians in closed form, on the problems of `spine`."""
    stores = (("CUB resnet1000", "att"), ("CUB resnet1000", "sentences"), ("CUB50", "att"), ("FLO", "att"))
    return [Task(*problem, "gfzsl", "gfzsl") for problem in stores]


# Fine-tuning a stage costs far more than a head: fewer images and pixels, one fold, no further fit for δ.
ONE_FOLD = ("folds=1", "transfer=raw")
LENGTH = ("epochs=8", "batch=32", "precision=bfloat16")
TUNED = ("mode=tail", "warm_up=5", "tail_rate=0.1")
COPIES = ("modules=3", "hidden=128", "epochs=10", "warm_up=9", "tail_rate=0.1", "batch=32", "precision=bfloat16")


def fine_tuning() -> list[Task]:
    """Heads on frozen features, and with the backbone's last stage trained; the length of both is the same."""
    attention_net = {
        f"{branch}, {name}": ("attention-net", (f"branch={branch}", *LOSSES[name]))
        for branch, name in (
            ("global", "SCE"),
            ("global", "SCE + ReMSE"),
            ("attention", "SCE + ReMSE"),
            ("fused", "SCE"),
            ("fused", "SCE + ReMSE"),
        )
    }
    others = {name: (name, ()) for name in ("apn", "gem")}
    autoencoder = {"dense-attention-ae": ("dense-attention-ae", ("learning_rate=0.001",))}
    ways = {"frozen": (), "fine-tuned": TUNED}
    return [
        Task(SMALL, "att", f"{label}, {way}", head, (*settings, *LENGTH, *tuned), ONE_FOLD)
        for label, (head, settings) in (attention_net | others | autoencoder).items()
        for way, tuned in ways.items()
    ]


def bgsnet() -> list[Task]:
    """BGSNet, its two parts, and without each kind of balance (section 4.3 of Li et al.)."""
    whole = {
        "GNet": ("gnet", ()),
        "BSNet": ("bsnet", COPIES),
        "BGSNet": ("bgsnet", COPIES),
        "BGSNet without instance-level balance": ("bgsnet", (*COPIES, "instance_weights=false")),
        "BGSNet without dataset-level balance": ("bgsnet", (*COPIES, "gates=false")),
        "BGSNet without annealing": ("bgsnet", (*COPIES, "annealing=false")),
    }
    return [Task(SMALL, "att", label, head, settings, ONE_FOLD) for label, (head, settings) in whole.items()]


SHORT = ("synthetic=100", "classifier_epochs=5", "precision=bfloat16")  # of generators, as validation on CUB chose


def generative() -> list[Task]:
    """What a GAN adds to Gaussians in closed form; f-clswgan has one pass in an epoch, tf-vaegan two."""
    vaegan, clswgan = ("epochs=2", "every=2", *SHORT), ("epochs=4", "every=4", "seen_epochs=3", *SHORT)
    stores = (("CUB resnet1000", "att"), ("CUB resnet1000", "sentences"), ("FLO", "att"), ("CUB50", "att"))
    heads = {"gfzsl": (), "f-clswgan": clswgan, "tf-vaegan": vaegan}
    return [Task(*where, head, head, settings, ("folds=1",)) for where in stores for head, settings in heads.items()]


def sc_egg() -> list[Task]:
    """Table 2 of Hong et al. on frozen features: what each loss is worth."""
    embedding = ("correspondence_epochs=2", "precision=bfloat16")
    shared = ("embedding_epochs=6", "embedding_rate=0.001", *embedding, "epochs=4", "every=4", *SHORT[:2])
    ablations = {
        "sc-egg": (),
        "sc-egg, released reading": ("reading=released",),
        "sc-egg without L_EGS": ("seen_weight=0", "unseen_weight=0"),
        "sc-egg without L_SCR": ("correspondence_weight=0",),
        "sc-egg without L_GCE": ("global_weight=0",),
        "sc-egg without L_LCE": ("local_weight=0",),
    }
    scen = Task("CUB50", "att", "scen", "scen", ("epochs=6", "learning_rate=0.001", *embedding), ONE_FOLD)
    return [
        scen,
        *(Task("CUB50", "att", label, "sc-egg", (*shared, *own), ONE_FOLD) for label, own in ablations.items()),
    ]


SUITES = {
    "generative": generative,
    "sc-egg": sc_egg,
    "fine-tuning": fine_tuning,
    "bgsnet": bgsnet,
    "spine": spine,
    "gaussians": gaussians,
    "remse": remse,
    "regression": regression,
    "dense-attention": dense_attention,
}


def summary(evaluation: dict[str, Any]) -> dict[str, str]:
    """Mean and standard deviation over seeds: accuracies in per cent, semantic errors in thousandths."""
    seeds = list(evaluation["seeds"].values())
    values = {m: [100 * s[m] for s in seeds] for m in METRICS}
    values |= {f"{m} at δ=0": [100 * s["uncalibrated"][m] for s in seeds] for m in ("U", "S", "H")}
    values["oracle H"] = [100 * s["oracle"]["H"] for s in seeds]
    confidence = list(evaluation["confidence"].values())
    for name, key in (("ECE before", "ece_uncalibrated"), ("ECE", "ece"), ("AUROC of none", "auroc")):
        values |= {name: [100 * c[key] for c in confidence]} if confidence else {}
    errors = list(evaluation["semantic_errors"].values())
    for side in ("seen", "unseen") if errors else ():
        of = [e[side] for e in errors]
        values |= {f"error {m}, {side}": [1000 * e[m] for e in of] for m in ("mean", "std")}
        values[f"error r, {side}"] = [e["pearson_mean_over_classes"] for e in of]
    return {name: told(v, 2 if name.startswith("error") else 1) for name, v in values.items()}


def fold_errors(evaluation: dict[str, Any]) -> dict[str, str]:
    """The standard error due to the choice of the folds, by a jackknife over them, of the mean over the seeds."""
    folds = evaluation["without_fold"]
    if len(folds) < 2:
        return {}
    values = {m: [np.mean([seed[m] for seed in fold.values()]) for fold in folds] for m in ("T1", "H")}
    return {f"{m}, ± folds": f"{100 * np.sqrt((len(folds) - 1) * np.var(v)):.1f}" for m, v in values.items()}


def health(run: Path) -> dict[str, str]:
    """What a head tells about its parts: means over the seeds."""
    found = [json.loads(file.read_text()).get("health", {}) for file in sorted(run.glob("seed-*/head.json"))]
    return {name: f"{np.mean([one[name] for one in found]):.3g}" for name in found[0]}


def surviving(notes: dict[str, list[str]]) -> dict[str, str]:
    """How many specialists the runs of a head keep, if it has any."""
    counts = [note.split(" ")[0] for told in notes.values() for note in told if note.endswith("specialists survive")]
    return {"specialists": " ".join(counts)} if counts else {}


def told(values: list[float], digits: int) -> str:
    """Mean ± standard deviation; a single value has none."""
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def transfers(run: Path) -> dict[str, str]:
    """H with δ carried over in each way, from the scores that `eval` keeps."""
    found: dict[str, list[float]] = {}
    for folder in sorted(run.glob("seed-*")):
        kept = read_scores(folder / "scores")
        both = rivals(kept.scores, kept.seen)
        for name, delta in json.loads((folder / "choice.json").read_text())["deltas"].items():
            found.setdefault(f"H, {name} δ", []).append(100 * accuracies(both, kept.labels, kept.seen, delta).H)
    return {name: told(values, 1) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", choices=SUITES)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="Runs at a time; the cores are shared out.")
    options = parser.parse_args()
    zslpipe = Commands(options.data_root, options.cache, options.jobs)
    tasks = {suite: SUITES[suite]() for suite in options.suites}
    found = {
        name: make_store(zslpipe, name, options.data_root, options.cache)
        for name in dict.fromkeys(task.store for suite in tasks.values() for task in suite)
    }
    about = {k: v for k, v in zslpipe("doctor").items() if k not in ("data root", "cache", "free disk", "notes")}

    def row(task: Task) -> dict[str, Any]:
        line = ["--store", found[task.store], "--semantics", task.semantics, "--seeds", str(options.seeds)]
        line += [word for setting in task.settings for word in ("--set", setting)]
        line += [word for option in task.rule for word in ("--rule", option)]
        started = time.monotonic()
        trained = zslpipe("train-head", task.head, *line)
        run = trained["run"]
        minutes = (time.monotonic() - started) / 60
        (evaluation,) = zslpipe("eval", run, "--gzsl", "--calibrate")
        numbers = {"store": task.store, "semantics": task.semantics, "head": task.label}
        numbers |= summary(evaluation) | fold_errors(evaluation) | transfers(Path(run))
        numbers |= surviving(trained["notes"]) | health(Path(run))
        numbers |= {"minutes to train": f"{minutes:.1f}"}
        print(numbers, flush=True)
        about_run = {
            "settings": " ".join(task.settings),
            "rule": " ".join(task.rule),
            "selection": evaluation["selection"],
            "seeds": options.seeds,
        }
        return {**numbers, **about_run, "jobs": options.jobs, **about}

    for suite in options.suites:
        rows: list[dict[str, Any]] = []
        with ThreadPoolExecutor(options.jobs) as pool:
            # Alone, rows run in this thread: a command's output is caught by replacing the standard output of all.
            for done in map(row, tasks[suite]) if options.jobs == 1 else pool.map(row, tasks[suite]):
                rows.append(done)
                write_table(RESULTS / f"real-{suite}-torch{torch.__version__.split('+')[0]}.csv", rows)


if __name__ == "__main__":
    main()
