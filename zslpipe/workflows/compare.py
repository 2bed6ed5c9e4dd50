"""`zslpipe compare`: whether one run is better than others, in numbers and in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zslpipe.errors import InputError
from zslpipe.evaluation.results_table import text_table
from zslpipe.evaluation.statistics import METRICS, Difference, compare, estimate, joint_level
from zslpipe.workflows.evaluate import Evaluation, evaluate_run, with_errors
from zslpipe.workflows.runs import find_run, refuse_repeated
from zslpipe.workflows.workspace import Workspace

Differences = dict[str, Difference]  # by metric


@dataclass(frozen=True)
class Comparison:
    """The differences between the validated numbers of runs, and the runs' semantic errors.

    Attributes:
        evaluations: of the runs, as they were named.
        pairs: of two runs the first against the second; of more each against the one with the highest H.
    """

    evaluations: tuple[Evaluation, ...]
    pairs: dict[tuple[str, str], Differences]

    @property
    def differences(self) -> Differences:
        """Of the first pair."""
        return next(iter(self.pairs.values()))

    def as_json(self) -> dict[str, Any]:
        both = self.differences if len(self.pairs) == 1 else {}
        return {
            "runs": [e.run.name for e in self.evaluations],
            **{metric: asdict(d) for metric, d in both.items()},
            "comparisons": [
                {"runs": list(names), **{metric: asdict(d) for metric, d in found.items()}}
                for names, found in self.pairs.items()
            ],
            "semantic_errors": [e.as_json()["semantic_errors"] for e in self.evaluations],
        }

    def text(self) -> str:
        if len(self.pairs) == 1:
            text = "\n".join(difference.sentence for difference in self.differences.values())
        else:
            text = _table(self.pairs)
        return with_errors(text, self.evaluations)


def compare_runs(workspace: Workspace, *names: str) -> Comparison:
    """Evaluate runs of one dataset, calibrated by validation, and compare them class by class.

    Of more than two runs, each is compared with the one of the highest H; the intervals are wider, so that those of all
    pairs hold at once with 95 %.

    Raises:
        InputError: if a run is given twice, the runs are on different datasets, or one has no validated calibration.
    """
    runs = [find_run(workspace.runs, name) for name in names]
    if len(runs) < 2:
        raise InputError("name at least two runs to compare.")
    refuse_repeated(runs)
    for run in runs:
        if run.about["dataset"] != runs[0].about["dataset"]:
            raise InputError(
                f"{runs[0].name} is on {runs[0].about['dataset']} and {run.name} on {run.about['dataset']}: "
                "compare runs on one dataset."
            )
    done = tuple(evaluate_run(workspace, run, True, True, "validated") for run in runs)
    others, reference = (done[:1], done[1]) if len(done) == 2 else _against_best(done)
    level = joint_level(len(done) * (len(done) - 1) // 2)  # of all pairs, since the results choose the best
    pairs = {}
    for other in others:
        pair = other.run.name, reference.run.name
        pairs[pair] = compare(
            list(other.results.values()),
            list(reference.results.values()),
            pair,
            level=level,
            without=(other.without, reference.without),
        )
    return Comparison(done, pairs)


def _against_best(evaluations: Sequence[Evaluation]) -> tuple[tuple[Evaluation, ...], Evaluation]:
    """The others by falling H, and the best."""

    def score(evaluation: Evaluation) -> float:
        found = estimate(list(evaluation.results.values()))
        return next((found[metric].mean for metric in ("H", "T1", "S") if metric in found), 0.0)

    best, *others = sorted(evaluations, key=score, reverse=True)
    return tuple(others), best


def _table(pairs: dict[tuple[str, str], Differences]) -> str:
    """A line per pair, and how to read it."""
    found, best = list(pairs.values()), next(iter(pairs))[1]
    metrics = [m for m in METRICS if all(m in differences for differences in found)]
    lines = [[name, *(_cell(differences[m]) for m in metrics)] for (name, _), differences in pairs.items()]
    level = next(iter(found[0].values())).level
    note = (
        f"points below or above {best}, which has the highest H; * more than noise\n"
        f"[{100 * level:.3g} % interval, so that together those of all pairs of these runs hold with 95 %]"
    )
    return f"{text_table([['run', *metrics], *lines], left=('run',))}\n{note}"


def _cell(d: Difference) -> str:
    return f"{'* ' * d.more_than_noise}{100 * d.mean:+.1f} [{100 * d.low:+.1f}, {100 * d.high:+.1f}]"
