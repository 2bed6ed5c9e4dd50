"""`zslpipe eval`: run to table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.errors import RequestError
from zslpipe.evaluation.protocol import Result, measure, score_tests
from zslpipe.evaluation.runs import Run, find_run
from zslpipe.evaluation.scores import write_scores
from zslpipe.evaluation.statistics import Estimate, estimate
from zslpipe.files import write_json
from zslpipe.progress import track
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.workspace import Workspace

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Evaluation:
    """What `eval` found of one run: a `Result` for each seed, and how its calibration was chosen."""

    run: Run
    results: dict[int, Result]
    gzsl: bool
    calibration: str  # "validated", "oracle" or "none"

    def as_json(self) -> dict[str, Any]:
        about = self.run.about
        return {
            "run": self.run.name,
            "head": about["head"],
            "dataset": about["dataset"],
            "semantics": about["semantics"],
            "backbone": about["store"]["backbone"],
            "selection": about["selection"],
            "calibration": self.calibration,
            "gzsl": self.gzsl,
            "seeds": {str(seed): result.to_json() for seed, result in self.results.items()},
        }


def table(evaluations: Sequence[Evaluation]) -> str:
    """What people read: a validated row a run, the oracle's below it and marked, means over seeds in per cent."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    gzsl = any(e.gzsl for e in evaluations)
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("run", "T1", *(("U", "S", "H", "AUSUC") if gzsl else ()), "δ", "chosen by", "seeds"):
        shown.add_column(column, justify="left" if column in ("run", "chosen by") else "right", no_wrap=True)
    for e in evaluations:
        results = list(e.results.values())
        rule = {
            "validated": f"{e.run.about['selection']} validation",
            "oracle": "oracle: the test set",
            "none": "δ = 0",
        }
        found = estimate(results)
        metrics = ("T1", "U", "S", "H", "AUSUC") if gzsl else ("T1",)
        delta = "0" if results[0].delta is None else f"{np.mean([r.delta for r in results if r.delta is not None]):.3g}"
        cells = [percent(found[m]) for m in metrics if m in found]
        shown.add_row(e.run.name, *cells, delta, rule[e.calibration], str(len(results)))
        if gzsl and e.calibration != "oracle" and results[0].oracle is not None:
            best = estimate(results, "oracle")
            cells = ["", *(percent(best[m]) for m in ("U", "S", "H")), ""]
            delta = f"{np.mean([r.oracle.delta for r in results if r.oracle]):.3g}"
            shown.add_row("  (oracle)", *cells, delta, "δ from the test set", "", style="dim")
    console = Console(file=StringIO(), width=200, color_system=None)
    console.print(shown)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    untested = sorted({name for e in evaluations for r in e.results.values() for name in r.without_images})
    if untested:
        lines.append(f"{len(untested)} classes have no test image and are in no average: {', '.join(untested[:5])}")
    return "\n".join([*lines, "in per cent; ± half of the 95 % interval over seeds and classes"])


def percent(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.mean:.1f}"
    return f"{100 * estimate.mean:.1f} ±{50 * (estimate.high - estimate.low):.1f}"


def evaluate_runs(
    workspace: Workspace,
    names: Sequence[str] = (),
    *,
    gzsl: bool = True,
    calibrate: bool = True,
    selection: str = "validated",
) -> list[Evaluation]:
    """Score runs on their test sets and leave evaluation.json and the scores with each; the newest run by default.

    Raises:
        RequestError: where calibration is asked for and nothing validated it.
    """
    found = [find_run(workspace.runs, name) for name in names] or [find_run(workspace.runs, None)]
    return [evaluate_run(workspace, run, gzsl, calibrate, selection) for run in track(found, "evaluating runs")]


def evaluate_run(workspace: Workspace, run: Run, gzsl: bool, calibrate: bool, selection: str) -> Evaluation:
    oracle = selection == "oracle"
    deltas = {seed: run.choice(seed).delta if calibrate else None for seed in run.seeds}
    if calibrate and not oracle and (None in deltas.values() or run.about["selection"] == "oracle"):
        raise RequestError(
            f"run {run.name} was selected by '{run.about['selection']}', which leaves no validated calibration: "
            f"train it with --selection unseen-class, or ask for --selection oracle by name."
        )
    store = store_of_run(workspace, run)
    benchmark = run.benchmark
    results = {}
    for seed, delta in deltas.items():
        tests = score_tests(run.head(seed), store.features(), benchmark)
        result = measure(tests, benchmark.class_names, delta)
        if oracle and result.oracle is not None:
            result = measure(tests, benchmark.class_names, result.oracle.delta)
        write_scores(run.path / f"seed-{seed}" / "scores", tests, benchmark, result.delta)
        results[seed] = result
    calibration = ("oracle" if oracle else "validated") if calibrate else "none"
    evaluation = Evaluation(run, results, gzsl, calibration)
    write_json(run.path / EVALUATION, evaluation.as_json())
    return evaluation
