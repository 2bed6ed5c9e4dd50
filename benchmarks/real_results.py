"""Tables of real results: the stores of a suite are made, its rows trained and evaluated as a sweep.

    python benchmarks/real_results.py spine gaussians remse regression dense-attention --data-root DATA --cache CACHE
    python benchmarks/real_results.py fine-tuning bgsnet generative sc-egg --seeds 3 --data-root DATA --cache CACHE

Each suite of `suites.py` writes benchmarks/results/real-SUITE-torchVERSION.csv, a row a run: validated numbers first,
then those at δ = 0, then the oracle's H. Stores and runs that are in the cache are used again, so that a call that was
interrupted goes on when it is repeated. Failed rows are listed at the end.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner
from common import RESULTS, write_table
from suites import SMALL, SMALL_FLO, SUITES, Task, compared_with

from zslpipe.cli import main as main_command
from zslpipe.data.load import load_benchmark
from zslpipe.evaluation.metrics import accuracies
from zslpipe.evaluation.scores import read_scores
from zslpipe.evaluation.stacking import rivals
from zslpipe.evaluation.statistics import jackknife
from zslpipe.files import read_json
from zslpipe.workflows.compare import compare_runs
from zslpipe.workflows.evaluate import EVALUATION
from zslpipe.workflows.run_record import ABOUT
from zslpipe.workflows.runs import Run
from zslpipe.workflows.sweep import run_points
from zslpipe.workflows.sweep_file import Point
from zslpipe.workflows.workspace import Workspace

BACKBONE = "tf_efficientnet_lite0"
ALL_TAPS = ("--taps", "global,region,trunk")
NOT_TOLD = ("data root", "cache", "free disk", "notes")  # by doctor: they are not about the result
METRICS = ("T1", "U", "S", "H", "AUSUC")


def make_store(workspace: Workspace, name: str) -> str:
    """The folder of a store by its name in the tables, made by the commands that a person would type."""
    data, cache = workspace.data_root, workspace.cache
    package = ("--backbone", BACKBONE, "--weights", "package")
    birds, tables = data / "images" / "CUB50", cache / "tables" / "CUB50"
    if name.startswith("CUB50") and not tables.is_dir():
        zslpipe(workspace, "data", "table", "cub", str(birds), "--out", str(tables))
    if name == SMALL:
        tables = every_third(tables, cache / "tables" / "CUB50-third")
    flowers = cache / "images" / "FLO-third"
    if name == SMALL_FLO and not flowers.is_dir():
        third_of_flowers(data, flowers)
        zslpipe(workspace, "data", "table", "flo", str(flowers), "--out", str(cache / "tables" / flowers.name))
    small = ("--dataset", str(birds), "--class-table", str(tables))
    lines = {
        "CUB resnet1000": (
            *("import", str(data / "xlsa17/data/CUB/resnet1000.mat")),
            *("--dataset", "cub", "--name", "resnet1000"),
        ),
        "CUB50": ("extract", *package, *small, *ALL_TAPS),
        SMALL: ("extract", *package, *small, *ALL_TAPS, "--image-size", "128"),
        SMALL_FLO: (
            *("extract", *package, "--dataset", str(flowers), *ALL_TAPS, "--image-size", "128"),
            *("--class-table", str(cache / "tables" / flowers.name)),
        ),
        "FLO": ("extract", *package, "--dataset", "flo", *ALL_TAPS),
    }
    if name not in lines:
        raise SystemExit(f"make the store '{name}' and name it: --store '{name}=FOLDER'")
    return str(zslpipe(workspace, *lines[name])["store"])


def zslpipe(workspace: Workspace, *line: str) -> Any:
    """What a command prints as JSON."""
    print("zslpipe", *line, flush=True)
    places = ["--data-root", str(workspace.data_root), "--cache", str(workspace.cache), "--json"]
    done = CliRunner().invoke(main_command, [*line, *places], catch_exceptions=False)
    if done.exit_code:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def every_third(tables: Path, out: Path) -> Path:
    """A copy of a dataset's tables with every third image, in the order of the list."""
    shutil.copytree(tables, out, dirs_exist_ok=True)
    head, *images = (tables / "images.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (out / "images.csv").write_text("".join([head, *images[::3]]), encoding="utf-8")
    return out


def third_of_flowers(data: Path, out: Path) -> None:
    """Every third flower, in the order of the list, in a folder of its class."""
    known = load_benchmark("flo", data)
    assert known.image_root is not None
    for image, label in zip(known.image_ids[::3], known.labels[::3]):
        folder = out / known.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(known.image_root / image, folder / image)


def wanted(task: Task, only: Sequence[str] | None) -> bool:
    return only is None or any(text in f"{task.store}, {task.semantics}, {task.label}" for text in only)


def row(task: Task, run: Run) -> dict[str, Any]:
    """The row of a finished run."""
    evaluation = read_json(run.path / EVALUATION)
    return {
        **{"store": task.store, "semantics": task.semantics, "head": task.label},
        **summary(evaluation),
        **fold_errors(evaluation),
        **transfers(run.path),
        **surviving(run),
        **tuned(run),
        **health(run.path),
        **{"minutes to train": minutes(run)},
        **{"settings": told_settings(task.settings), "rule": told_settings(task.rule)},
        **{"selection": evaluation["selection"], "seeds": len(run.seeds)},
    }


def minutes(run: Run) -> str:
    """From the beginning of the training to its record."""
    started = datetime.fromisoformat(run.about["created"]).timestamp()
    return f"{((run.path / ABOUT).stat().st_mtime - started) / 60:.1f}"


def told_settings(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in settings.items())


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
    """The standard error of the mean over the seeds that is due to the choice of the folds."""
    folds = evaluation["without_fold"]
    if len(folds) < 2:
        return {}
    values = {m: np.array([np.mean([seed[m] for seed in fold.values()]) for fold in folds]) for m in ("T1", "H")}
    return {f"{m}, ± folds": f"{100 * jackknife(v):.1f}" for m, v in values.items()}


def health(run: Path) -> dict[str, str]:
    """What a head tells about its parts: means over the seeds."""
    found = [json.loads(file.read_text()).get("health", {}) for file in sorted(run.glob("seed-*/head.json"))]
    return {name: f"{np.mean([one[name] for one in found]):.3g}" for name in found[0]}


def surviving(run: Run) -> dict[str, str]:
    """How many specialists the heads keep, if they have any."""
    notes = [note for seed in run.seeds for note in run.notes(seed)]
    counts = [note.split(" ")[0] for note in notes if note.endswith("specialists survive")]
    return {"specialists": " ".join(counts)} if counts else {}


def tuned(run: Run) -> dict[str, str]:
    """In how many seeds selection chose an epoch in which the backbone had been trained."""
    chosen = [read_json(file)["params"] for file in sorted(run.path.glob("seed-*/choice.json"))]
    if chosen[0].get("mode", "cached") == "cached":
        return {}
    return {"tuned": f"{sum(one['epochs'] > one['warm_up'] for one in chosen)} of {len(chosen)}"}


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


def differences(workspace: Workspace, new: Sequence[Task], runs: Mapping[Task, Run]) -> list[dict[str, Any]]:
    """New rows against other rows of the same problem, in points with a 95 % interval for each comparison alone.

    "H visible" is the smallest true difference that would be called more than noise four times out of five.
    """
    found = []
    for task in new:
        others = {t.label: r for t, r in runs.items() if (t.store, t.semantics) == (task.store, task.semantics)}
        for against in compared_with(task.label, others):
            of = compare_runs(workspace, runs[task].name, others[against].name).differences
            about = {"store": task.store, "semantics": task.semantics, "head": task.label, "against": against}
            told = {m: f"{100 * d.mean:+.1f} [{100 * d.low:+.1f}, {100 * d.high:+.1f}]" for m, d in of.items()}
            visible = of["H"].visible
            more = {"H visible": "" if visible is None else f"{100 * visible:.1f}", "seeds": len(runs[task].seeds)}
            found.append({**about, "T1": told["T1"], "H": told["H"], **more})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", choices=SUITES)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--store", action="append", default=[], metavar="NAME=FOLDER", help="A store that exists.")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="Rows whose store, semantics or head contain a text.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="Runs at a time; the cores are shared out.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    workspace = Workspace(options.data_root, options.cache)
    stores = dict(named.split("=", 1) for named in options.store)
    runs: dict[Task, Run] = {}  # of all suites
    failed: list[str] = []
    about = {k: v for k, v in zslpipe(workspace, "doctor").items() if k not in NOT_TOLD}
    for suite in options.suites:
        tasks = [task for task in SUITES[suite]() if wanted(task, options.only)]
        rows: dict[int, dict[str, Any]] = {}
        version = f"{suite}-torch{torch.__version__.split('+')[0]}.csv"
        for name in dict.fromkeys(task.store for task in tasks):
            stores[name] = stores.get(name) or make_store(workspace, name)
        points = [
            Point(
                label=f"{task.store}, {task.semantics}, {task.label}",
                head=task.head,
                settings=dict(task.settings),
                store=stores[task.store],
                semantics=task.semantics,
                rule=dict(task.rule),
                seeds=options.seeds,
            )
            for task in tasks
        ]
        for number, outcome in run_points(workspace, points, jobs=options.jobs, name=suite):
            if outcome.evaluation is None:
                failed.append(f"{suite}: {outcome.point.label}: {outcome.error}")
                continue
            runs[tasks[number]] = outcome.evaluation.run
            rows[number] = {**row(tasks[number], outcome.evaluation.run), "jobs": options.jobs, **about}
            write_table(options.results / f"real-{version}", [rows[n] for n in sorted(rows)])
        if compared := differences(workspace, [tasks[n] for n in sorted(rows)], runs):
            write_table(options.results / f"differences-{version}", [{**one, **about} for one in compared])
    if failed:
        raise SystemExit("\n".join(["failed:", *failed]))


if __name__ == "__main__":
    main()
