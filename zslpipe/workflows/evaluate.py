"""`zslpipe eval`: run to table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from zslpipe.errors import RequestError
from zslpipe.evaluation.protocol import Result, measure, score_tests
from zslpipe.evaluation.runs import Run, find_run
from zslpipe.evaluation.scores import write_scores
from zslpipe.evaluation.table import Row, results_text, rows_of
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
            "recipe": about.get("recipe", {}),
            "seeds": {str(seed): result.to_json() for seed, result in self.results.items()},
        }


def table(evaluations: Sequence[Evaluation]) -> str:
    """What people read: the validated row of a run first, the oracle's below it and marked."""
    rows = []
    for e in evaluations:
        rule = "oracle" if e.calibration == "oracle" else f"{e.run.about['selection']} validation"
        found = rows_of(e.run.name, list(e.results.values()), rule, e.run.about.get("recipe", {}).get("published"))
        rows += found if e.gzsl else [only_t1(row) for row in found if not row.oracle]
    return results_text(rows)


def only_t1(row: Row) -> Row:
    """Zero-shot learning proper: unseen classes among themselves, where there is nothing to calibrate."""
    return replace(row, numbers={"T1": row.numbers["T1"]}, delta=None, rule=row.rule.removesuffix(", not calibrated"))


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
