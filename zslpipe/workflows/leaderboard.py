"""`zslpipe leaderboard`: all runs on one dataset or store, the best first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from zslpipe.errors import InputError
from zslpipe.evaluation.results_table import result_rows, text_table
from zslpipe.evaluation.statistics import Estimate
from zslpipe.progress import track
from zslpipe.workflows.evaluate import Evaluation, evaluate_run, validated_deltas, validated_evaluation
from zslpipe.workflows.find import find_store
from zslpipe.workflows.runs import Run, runs
from zslpipe.workflows.workspace import Workspace

METRICS = ("T1", "U", "S", "H", "AUSUC")
Order = Literal["test", "validation"]


@dataclass(frozen=True)
class Entry:
    """A run and its numbers.

    Attributes:
        run: the run.
        estimates: by metric, on the test images at the δ that validation chose.
        validation_H: the best H on the validation classes, mean over the seeds; None if validation measured no H.
        images: numbers of test images of every class.
    """

    run: Run
    estimates: dict[str, Estimate]
    validation_H: float | None
    images: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        about = self.run.about
        return {
            "run": self.run.name,
            **{key: about[key] for key in ("head", "semantics", "selection", "seeds")},
            "store": about["store"],
            "validation_H": self.validation_H,
            "test": {metric: asdict(estimate) for metric, estimate in self.estimates.items()},
        }


@dataclass(frozen=True)
class Leaderboard:
    """Runs on one dataset, the best first.

    Attributes:
        dataset: its name.
        order: "test" for H on the test images, "validation" for H on the validation classes.
        entries: the runs with validated numbers.
        not_evaluated: names of runs without saved scores.
        not_validated: names of runs whose selection rule chooses no δ without test images.
    """

    dataset: str
    order: Order
    entries: tuple[Entry, ...]
    not_evaluated: tuple[str, ...]
    not_validated: tuple[str, ...]

    @property
    def other_images(self) -> tuple[str, ...]:
        """Names of runs that were tested on other images than the first."""
        return tuple(e.run.name for e in self.entries if e.images != self.entries[0].images)

    def as_json(self) -> dict[str, Any]:
        names = ("not_evaluated", "not_validated", "other_images")
        return {
            "dataset": self.dataset,
            "sorted_by": f"H, {self.order}",
            "runs": [entry.as_json() for entry in self.entries],
            **{name: list(getattr(self, name)) for name in names},
        }

    def text(self) -> str:
        parts = [_table(self.entries), _note(self.order)] if self.entries else []
        notes = {
            "tested on other images than the first, so not comparable": self.other_images,
            "not evaluated yet (--evaluate does it)": self.not_evaluated,
            "left out, since they have no validated δ": self.not_validated,
        }
        parts += [f"{text}: {', '.join(names)}" for text, names in notes.items() if names]
        return "\n".join(parts)


def leaderboard(
    workspace: Workspace,
    *,
    store: str | None = None,
    dataset: str | None = None,
    order: Order = "test",
    evaluate: bool = False,
) -> Leaderboard:
    """All runs on a store, on a dataset, or (without either) on the dataset of the newest run.

    Numbers come from saved evaluations; with `evaluate`, runs without one are evaluated first.

    Raises:
        InputError: if there is no such store or run.
    """
    found = runs(workspace.runs)
    if store is not None:
        wanted = find_store(workspace, store, dataset)
        found, where = [r for r in found if r.about["store"]["fingerprint"] == wanted.fingerprint], wanted.path.name
    else:
        where = dataset or (found[0].about["dataset"] if found else str(workspace.runs))
        found = [r for r in found if r.about["dataset"] == where]
    if not found:
        raise InputError(f"no runs on {where}: train one with 'zslpipe train-head remse'.")
    entries, later, without = [], [], []
    for run in track(found, "reading runs"):
        try:
            validated_deltas(run)
        except InputError:
            without.append(run.name)
            continue
        done = validated_evaluation(run)
        if done is None and evaluate:
            done = evaluate_run(workspace, run, True, True, "validated")
        if done is None:
            later.append(run.name)
        else:
            entries.append(_entry(done))
    entries.sort(key=lambda entry: _height(entry, order), reverse=True)
    return Leaderboard(found[0].about["dataset"], order, tuple(entries), tuple(later), tuple(without))


def _entry(evaluation: Evaluation) -> Entry:
    run, results = evaluation.run, list(evaluation.results.values())
    row = result_rows(run.name, results, run.about["selection"], without=evaluation.without)[0]
    estimates = {metric: number for metric, number in row.numbers.items() if isinstance(number, Estimate)}
    validated = [run.choice(seed).metrics.get("H") for seed in run.seeds]
    mean = None if None in validated else float(np.mean(np.array(validated, float)))
    return Entry(run, estimates, mean, tuple(c.images for c in results[0].classes))


def _height(entry: Entry, order: Order) -> float:
    """What the table is sorted by; runs without it come last."""
    if order == "validation":
        return -1.0 if entry.validation_H is None else entry.validation_H
    return entry.estimates["H"].mean if "H" in entry.estimates else -1.0


def _table(entries: Sequence[Entry]) -> str:
    metrics = [m for m in METRICS if any(m in entry.estimates for entry in entries)]
    left = ("run", "semantics", "backbone")
    cells = [["", "run", "semantics", "backbone", *metrics, "seeds", "validation H"]]
    for place, entry in enumerate(entries, start=1):
        about = entry.run.about
        numbers = [_cell(entry.estimates.get(metric)) for metric in metrics]
        validated = "-" if entry.validation_H is None else f"{100 * entry.validation_H:.1f}"
        names = [entry.run.name, str(about["semantics"]), str(about["store"]["backbone"])]
        cells.append([str(place), *names, *numbers, str(len(about["seeds"])), validated])
    return text_table(cells, left)


def _cell(number: Estimate | None) -> str:
    if number is None:
        return "-"
    ends = "" if number.low is None or number.high is None else f" [{100 * number.low:.1f}, {100 * number.high:.1f}]"
    return f"{100 * number.mean:.1f}{ends}"


def _note(order: Order) -> str:
    numbers = (
        "percent, class-averaged, on the test images at the δ that validation chose; "
        "[95 % interval over seeds, classes and, if there were several, validation folds]"
    )
    if order == "validation":
        return f"{numbers}\nsorted by H on the validation classes, by which a run may be chosen"
    return f"{numbers}\nsorted by H on the test images: to choose a run, sort by --by validation"
