"""`zslpipe eval`: the test results of runs, as a table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.evaluation.confidence import Reliability, calibrated
from zslpipe.evaluation.confidence_table import confidence_text
from zslpipe.evaluation.imbalance import ErrorSummary, PredictsSemantics, imbalance
from zslpipe.evaluation.protocol import Averages, Result, TestScores, evaluate_scores, score_tests
from zslpipe.evaluation.results_table import Row, errors_text, result_rows, results_text
from zslpipe.evaluation.scores import read_scores, write_scores
from zslpipe.evaluation.unmeasured import why_unmeasured
from zslpipe.files import read_json, sha256_json, write_json
from zslpipe.progress import track
from zslpipe.store.rows import Features
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.workspace import Workspace

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Evaluation:
    """The test results of one run.

    Attributes:
        results: one `Result` per seed.
        calibration: how it was chosen: "validated", "oracle" or "none".
        errors: per seed and side ("seen", "unseen"), how unevenly semantics are predicted; empty for a head that does
            not predict semantics.
        reliability: per seed, how far its probabilities can be trusted; empty unless δ was validated.
        without: for each validation fold, the averages (one per seed) at what the other folds choose; empty unless
            there are several; they are at validated δ, also if this evaluation is not.
        errors_as_predicted: as `errors`, in the frame of what the head predicts (centred, for some heads).
        deltas: per seed, δ carried over from the folds in each way, with U, S and H there.
    """

    run: Run
    results: dict[int, Result]
    gzsl: bool
    calibration: str
    errors: dict[int, dict[str, ErrorSummary]] = field(default_factory=dict)
    reliability: dict[int, Reliability] = field(default_factory=dict)
    without: tuple[tuple[Averages, ...], ...] = ()
    deltas: dict[int, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    errors_as_predicted: dict[int, dict[str, ErrorSummary]] = field(default_factory=dict)

    @property
    def mean_errors(self) -> dict[str, ErrorSummary]:
        """Averaged over the seeds, by side."""
        seeds = list(self.errors.values())
        return {side: ErrorSummary.average([s[side] for s in seeds]) for side in (seeds[0] if seeds else ())}

    @property
    def unmeasured(self) -> str:
        """A sentence on the numbers that could not be measured; empty if all were."""
        return why_unmeasured(next(iter(self.results.values())))

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
            "unmeasured": self.unmeasured,
            "seeds": {str(seed): result.to_json() for seed, result in self.results.items()},
            "semantic_errors": _plain_errors(self.errors),
            "semantic_errors_as_predicted": _plain_errors(self.errors_as_predicted),
            "confidence": {str(seed): asdict(one) for seed, one in self.reliability.items()},
            "deltas": {str(seed): values for seed, values in self.deltas.items()},
            "without_fold": [
                {str(seed): averages._asdict() for seed, averages in zip(self.results, fold)} for fold in self.without
            ],
        }


def _ush(result: Result) -> dict[str, float | None]:
    return {name: getattr(result, name) for name in ("U", "S", "H")}


def _plain_errors(errors: Mapping[int, dict[str, ErrorSummary]]) -> dict[str, Any]:
    return {str(seed): {side: _plain(one) for side, one in sides.items()} for seed, sides in errors.items()}


def _plain(summary: ErrorSummary) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {k: None if math.isnan(v) else v for k, v in summary._asdict().items()}


def validated_evaluation(run: Run) -> Evaluation | None:
    """The results at the δ that validation chose, from what an evaluation saved; None if none did.

    If the last one was at another δ, they follow from the scores that it kept.

    Raises:
        InputError: if validation chose no δ.
    """
    deltas = validated_deltas(run)
    folders = [run.path / f"seed-{seed}" / "scores" for seed in run.seeds]
    if not all((folder / "scores.npz").is_file() for folder in folders):
        return None
    saved = saved_evaluation(run)
    if saved is not None and saved.calibration == "validated":
        return saved
    names, scored = run.benchmark.class_names, zip(folders, deltas.items())
    results = {seed: evaluate_scores(kept_tests(folder), names, delta) for folder, (seed, delta) in scored}
    return Evaluation(run, results, True, "validated", without=saved.without if saved else ())


def saved_evaluation(run: Run, calibration: str | None = None) -> Evaluation | None:
    """What the last evaluation of a run saved, without the reliability of its probabilities.

    None if there was none, if it is damaged or of another version, or if δ was not chosen as `calibration` says.
    """
    try:
        saved = read_json(run.path / EVALUATION)
        if saved.pop("sha256", None) not in (None, sha256_json(saved)) or calibration not in (
            None,
            saved["calibration"],
        ):
            return None
        results = {seed: Result.from_json(saved["seeds"][str(seed)]) for seed in run.seeds}
        errors = {
            int(seed): {side: ErrorSummary(**_with_nan(summary)) for side, summary in sides.items()}
            for seed, sides in saved["semantic_errors"].items()
        }
        folds = tuple(
            tuple(Averages(**fold[str(seed)]) for seed in run.seeds) for fold in saved.get("without_fold", ())
        )
        return Evaluation(run, results, saved["gzsl"], saved["calibration"], errors, without=folds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _with_nan(summary: dict[str, float | None]) -> dict[str, float]:
    return {k: math.nan if v is None else v for k, v in summary.items()}


def kept_tests(folder: Path) -> TestScores:
    """The scores in a folder that `write_scores` wrote."""
    kept = read_scores(folder)
    return TestScores(np.arange(len(kept.labels)), kept.labels, kept.seen, kept.scores, kept.zsl)


def validated_deltas(run: Run) -> dict[int, float]:
    """The δ that validation chose, by seed.

    Raises:
        InputError: if the run's selection rule chooses none without the test images.
    """
    deltas = {seed: run.choice(seed).delta for seed in run.seeds}
    if None in deltas.values() or run.about["selection"] == "oracle":
        raise InputError(
            f"run {run.name} was selected by '{run.about['selection']}', which validates no calibration: "
            f"train with --selection unseen-class, or evaluate with --selection oracle."
        )
    return {seed: delta for seed, delta in deltas.items() if delta is not None}


def table(evaluations: Sequence[Evaluation]) -> str:
    """A table of text: per run the validated row first, the oracle's below it and marked."""
    sure = {e.run.name: Reliability.mean(list(e.reliability.values())) for e in evaluations if e.reliability}
    reasons = [f"{e.run.name}: {reason}" for e in evaluations if (reason := e.unmeasured)]
    results = "\n".join([results_text(table_rows(evaluations)), *filter(None, map(deltas_text, evaluations)), *reasons])
    text = "\n\n".join([results, *([confidence_text(sure)] if sure else [])])
    return with_errors(text, evaluations)


def deltas_text(evaluation: Evaluation) -> str:
    """How δ was carried over from the folds, and the mean H of every way to do so; empty if it was not validated."""
    ways = list(evaluation.deltas.values())
    told = [f"{way} {100 * np.mean(h):.1f}" for way in (ways[0] if ways else ()) if None not in (h := _h(ways, way))]
    about = evaluation.run.choice(evaluation.run.seeds[0]).about_delta
    if not (told and about) or not evaluation.gzsl:
        return ""
    name = evaluation.run.name
    seed = f", seed {evaluation.run.seeds[0]}" if len(ways) > 1 else ""
    return f"{name}: H by how δ is carried over: {', '.join(told)}\n{name}{seed}: {about}"


def _h(ways: Sequence[dict[str, dict[str, float | None]]], way: str) -> list[Any]:
    return [seed[way]["H"] for seed in ways]


def table_rows(evaluations: Sequence[Evaluation]) -> list[Row]:
    """The rows of the table."""
    rows = []
    for e in evaluations:
        rule = "oracle" if e.calibration == "oracle" else f"{e.run.about['selection']} validation"
        published = e.run.about.get("recipe", {}).get("published")
        found = result_rows(e.run.name, list(e.results.values()), rule, published, e.without)
        rows += found if e.gzsl else [only_t1(row) for row in found if not row.oracle]
    return rows


def with_errors(text: str, evaluations: Sequence[Evaluation]) -> str:
    """The text with the semantic errors of the runs that have them below it."""
    uneven = {e.run.name: e.mean_errors for e in evaluations if e.errors}
    return f"{text}\n\n{errors_text(uneven)}" if uneven else text


def only_t1(row: Row) -> Row:
    """Conventional zero-shot learning: unseen classes only, so there is nothing to calibrate."""
    return replace(
        row,
        numbers={k: v for k, v in row.numbers.items() if k == "T1"},
        delta=None,
        rule=row.rule.removesuffix(", not calibrated"),
    )


def evaluate_runs(
    workspace: Workspace,
    names: Sequence[str] = (),
    *,
    gzsl: bool = True,
    calibrate: bool = True,
    selection: str = "validated",
) -> list[Evaluation]:
    """Evaluate runs (by default the newest) on their test sets; saves evaluation.json and the scores with each run.

    Raises:
        InputError: if calibration is requested and no validation chose it.
    """
    found = [find_run(workspace.runs, name) for name in names] or [find_run(workspace.runs, None)]
    return [evaluate_run(workspace, run, gzsl, calibrate, selection) for run in track(found, "evaluating runs")]


def evaluate_run(workspace: Workspace, run: Run, gzsl: bool, calibrate: bool, selection: str) -> Evaluation:
    oracle, benchmark = selection == "oracle", run.benchmark
    calibrate = calibrate and len(benchmark.unseen_classes) > 0
    deltas: dict[int, float | None] = {seed: run.choice(seed).delta if calibrate else None for seed in run.seeds}
    if calibrate and not oracle:
        deltas = {**validated_deltas(run)}
    store = store_of_run(workspace, run)
    results, errors, errors_as_predicted, reliability = {}, {}, {}, {}
    without: list[list[Averages]] = []
    deltas_of: dict[int, dict[str, dict[str, float | None]]] = {}
    for seed, delta in deltas.items():
        head = run.head_with_photos(seed)
        tests = score_tests(head, store.features(), benchmark)
        if isinstance(head, PredictsSemantics):
            errors[seed] = imbalance(head, store.features(), benchmark).sides
            errors_as_predicted[seed] = imbalance(head, store.features(), benchmark, "predicted").sides
        result = evaluate_scores(tests, benchmark.class_names, delta)
        if oracle and result.oracle is not None:
            result = evaluate_scores(tests, benchmark.class_names, result.oracle.delta)
        write_scores(run.path / f"seed-{seed}" / "scores", tests, benchmark, result.delta)
        results[seed] = result
        if calibrate and not oracle:
            deltas_of[seed] = {
                name: {"delta": d, **_ush(evaluate_scores(tests, benchmark.class_names, d))}
                for name, d in run.choice(seed).deltas.items()
            }
        without.append(_without_folds(run, seed, tests, store.features()))
        confidence = run.choice(seed).confidence
        if gzsl and calibrate and not oracle and confidence is not None:
            scores = calibrated(tests.scores, tests.seen, delta)
            reliability[seed] = Reliability.of(confidence, scores, tests.labels, tests.seen)
    calibration = ("oracle" if oracle else "validated") if calibrate else "none"
    folds = tuple(zip(*without)) if len({len(results) for results in without}) == 1 else ()
    evaluation = Evaluation(run, results, gzsl, calibration, errors, reliability, folds, deltas_of, errors_as_predicted)
    numbers = evaluation.as_json()
    write_json(run.path / EVALUATION, {**numbers, "sha256": sha256_json(numbers)})
    return evaluation


def _without_folds(run: Run, seed: int, tests: TestScores, features: Features) -> list[Averages]:
    """The averages at what would have been chosen without each of the folds.

    Args:
        tests: the test scores of the chosen head.
        features: of all images.
    """
    without = run.choice(seed).without
    found = {}
    for head in dict.fromkeys(one.head for one in without):  # scores of one head at a time: there may be many
        scored = score_tests(run.head(seed, head), features, run.benchmark) if head else tests
        for number, one in enumerate(without):
            if one.head == head:
                found[number] = evaluate_scores(scored, run.benchmark.class_names, one.delta).averages
    return [found[number] for number in sorted(found)]
