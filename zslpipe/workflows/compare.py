"""`zslpipe compare`: whether one run is better than another, in numbers and in words."""

from dataclasses import asdict, dataclass
from typing import Any

from zslpipe.errors import InputError
from zslpipe.evaluation.statistics import Difference, compare
from zslpipe.workflows.evaluate import Evaluation, evaluate_run, with_errors
from zslpipe.workflows.runs import find_run
from zslpipe.workflows.workspace import Workspace


@dataclass(frozen=True)
class Comparison:
    """The differences between the validated numbers of two runs, by metric, and both runs' semantic errors."""

    one: Evaluation
    other: Evaluation
    differences: dict[str, Difference]

    def as_json(self) -> dict[str, Any]:
        both = (self.one, self.other)
        return {
            "runs": [e.run.name for e in both],
            **{metric: asdict(d) for metric, d in self.differences.items()},
            "semantic_errors": [e.as_json()["semantic_errors"] for e in both],
        }

    def text(self) -> str:
        sentences = "\n".join(difference.sentence for difference in self.differences.values())
        return with_errors(sentences, (self.one, self.other))


def compare_runs(workspace: Workspace, one: str, other: str) -> Comparison:
    """Evaluate two runs of one dataset, calibrated by validation, and compare them class by class.

    Raises:
        InputError: if the runs are on different datasets, or one has no validated calibration.
    """
    runs = [find_run(workspace.runs, name) for name in (one, other)]
    datasets = [run.about["dataset"] for run in runs]
    if datasets[0] != datasets[1]:
        raise InputError(
            f"{runs[0].name} is on {datasets[0]} and {runs[1].name} on {datasets[1]}: compare runs on one dataset."
        )
    a, b = (evaluate_run(workspace, run, True, True, "validated") for run in runs)
    differences = compare(list(a.results.values()), list(b.results.values()), (runs[0].name, runs[1].name))
    return Comparison(a, b, differences)
