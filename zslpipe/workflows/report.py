"""`zslpipe report`: one page on runs. All numbers are computed here, from saved scores; the page only shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.evaluation.confidence import Reliability, calibrated, predicted, reliability_bins
from zslpipe.evaluation.confusion import confused_classes, confusion, most_confused
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.imbalance import PredictsSemantics, imbalance
from zslpipe.evaluation.protocol import Result, TestScores, evaluate_scores
from zslpipe.evaluation.results_table import result_rows
from zslpipe.evaluation.scores import read_scores
from zslpipe.evaluation.stacking import rivals
from zslpipe.evaluation.statistics import Estimate
from zslpipe.evaluation.synthetic import MakesFeatures, compare_features
from zslpipe.heads import Head
from zslpipe.progress import track
from zslpipe.report.content import ClassBar, Confusion, RunContent, SeedCurve, SemanticErrors, Trust
from zslpipe.report.headline import headline
from zslpipe.report.page import write_page
from zslpipe.report.tables import kind_of
from zslpipe.selection import SelectionResult, Trial
from zslpipe.selection.fitting import fit_candidates
from zslpipe.store.derived import readable
from zslpipe.store.rows import Features
from zslpipe.workflows.evaluate import evaluate_run, kept_tests, saved_evaluation
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.leftovers import sweep
from zslpipe.workflows.report_photos import counts, photos
from zslpipe.workflows.runs import Run, find_run, refuse_repeated
from zslpipe.workflows.workspace import Workspace

DRAWN = 300  # points of a curve; more would not be visible
CONFUSED, PAIRS = 15, 12  # classes in the confusion map, lines in its list
INTERVAL = "Below each number its 95 % interval over classes and, if there are several, {of_folds}seeds."
ORACLE_RUN = (
    "The settings of this run were chosen on the test set: its numbers are not results. Train with --selection "
    "unseen-class to get results."
)


@dataclass(frozen=True)
class Report:
    """The path of the page, and its content."""

    path: Path
    runs: tuple[RunContent, ...]

    def as_json(self) -> dict[str, Any]:
        return {"page": str(self.path), "runs": [_numbers(run) for run in self.runs]}


def report(
    workspace: Workspace, names: Sequence[str] = (), out: Path | None = None, errors_by_epoch: bool = False
) -> Report:
    """Write one HTML page on runs (by default the newest), by default below `cache/reports`.

    With `errors_by_epoch`, heads that predict semantics are trained once more, and their errors shown by epoch.

    Runs without saved scores are evaluated first, which needs their stores.

    Raises:
        InputError: for an unknown run, a run given twice, or a run without scores whose store is missing.
    """
    found = [find_run(workspace.runs, name) for name in names] or [find_run(workspace.runs, None)]
    refuse_repeated(found)
    contents = tuple(content(workspace, run) for run in track(found, "measuring runs"))
    if errors_by_epoch:
        contents = tuple(
            replace(shown, errors_by_epoch=errors_during_training(workspace, run))
            for shown, run in zip(contents, found)
        )
    more = f"-and-{len(found) - 1}-more" if len(found) > 1 else ""
    sweep(workspace)
    path = out or workspace.cache / "reports" / f"{found[0].name}{more}.html"
    write_page(path, contents)
    return Report(path, contents)


def content(workspace: Workspace, run: Run) -> RunContent:
    """Everything that a page shows about one run."""
    tests = kept_scores(workspace, run)
    choices = {seed: in_full(run.choice(seed), run.head(seed)) for seed in run.seeds}
    deltas = {seed: honest_delta(choice) for seed, choice in choices.items()}
    names = run.benchmark.class_names
    results = [evaluate_scores(tests[seed], names, deltas[seed]) for seed in run.seeds]
    notes = [*run.about.get("notes", ()), *run.benchmark.notes]
    if any(choice.rule == "oracle" for choice in choices.values()):
        notes.insert(0, ORACLE_RUN)
    published, saved = run.about.get("recipe", {}).get("published"), saved_evaluation(run)
    rows = result_rows(
        run.name, results, _rule(choices[run.seeds[0]]), published, without=saved.without if saved else ()
    )
    with_folds = any(isinstance(n, Estimate) and n.folds is not None for n in rows[0].numbers.values())
    first = run.seeds[0]
    store, errors, synthetic = None, None, None
    try:
        store = store_of_run(workspace, run)
        errors = _errors(run, store.features())
        head = run.head(first)
        if isinstance(head, MakesFeatures):
            synthetic = compare_features(head, store.features(), run.benchmark)
    except InputError as problem:
        notes.append(f"Sections that need the features are left out: {problem}")
    kept = read_scores(run.path / f"seed-{first}" / "scores")
    return RunContent(
        name=run.name,
        about=run.about,
        rows=tuple(rows),
        curves=tuple(_curve(seed, tests[seed], deltas[seed]) for seed in run.seeds if results[0].oracle),
        classes=_classes(results),
        confusion=_confusion(run, list(tests.values()), list(deltas.values())),
        errors=errors,
        choices=choices,
        losses={seed: run.losses(seed) for seed in run.seeds},
        store=None if store is None else readable(store.provenance, len(store)),
        interval=INTERVAL.format(of_folds="validation folds and " if with_folds else ""),
        counts=counts(list(tests.values()), list(deltas.values())),
        photos=photos(kept, deltas[first], run.benchmark.image_root),
        notes=tuple(dict.fromkeys(notes)),
        trust=trust(choices, tests),
        synthetic=synthetic,
    )


def trust(choices: Mapping[int, SelectionResult], tests: Mapping[int, TestScores]) -> Trust | None:
    """How far the probabilities of a run can be trusted; None if a seed has none."""
    scored = [
        (choice.confidence, calibrated(tests[seed].scores, tests[seed].seen, choice.delta), tests[seed])
        for seed, choice in choices.items()
        if choice.confidence is not None
    ]
    if len(scored) < len(choices) or not scored:
        return None
    before = [predicted(scores, t.labels, 1.0) for _, scores, t in scored]
    after = [predicted(scores, t.labels, confidence.temperature) for confidence, scores, t in scored]
    mean = Reliability.mean([Reliability.of(confidence, scores, t.labels, t.seen) for confidence, scores, t in scored])
    return Trust(mean, *(reliability_bins(*map(np.concatenate, zip(*seeds))) for seeds in (before, after)))


def kept_scores(workspace: Workspace, run: Run) -> dict[int, TestScores]:
    """The test scores of each seed that `eval` saved; the run is evaluated first if it was not yet."""
    folders = {seed: run.path / f"seed-{seed}" / "scores" for seed in run.seeds}
    if not all((folder / "scores.npz").is_file() for folder in folders.values()):
        calibrate = all(honest_delta(run.choice(seed)) is not None for seed in run.seeds)
        evaluate_run(workspace, run, gzsl=True, calibrate=calibrate, selection="validated")
    return {seed: kept_tests(folder) for seed, folder in folders.items()}


def in_full(choice: SelectionResult, head: Head) -> SelectionResult:
    """The choice, with the head's default added to every trial that lacks a setting which other trials have."""
    defaults = type(head)().get_params()
    named = {name: defaults[name] for trial in choice.trials for name in trial.setting if name in defaults}
    trials: list[Trial] = []
    for trial in choice.trials:
        setting = {**named, **trial.setting}
        if setting not in [t.setting for t in trials]:  # the grid may contain the defaults as well
            trials.append(replace(trial, setting=setting))
    return replace(choice, params={**named, **choice.params}, trials=trials)


def honest_delta(choice: SelectionResult) -> float | None:
    """The δ chosen without the test set, None if there is none."""
    return None if choice.rule == "oracle" else choice.delta


def _rule(choice: SelectionResult) -> str:
    if choice.rule == "oracle":
        return "oracle"
    folds = f"{choice.folds} folds" if choice.folds > 1 else "one fold"
    return f"{choice.rule}, {folds}" + (f", {choice.transfer} transfer" if choice.transfer else "")


def _curve(seed: int, tests: TestScores, delta: float | None) -> SeedCurve:
    """The curve with at most `DRAWN` points, evenly spaced along it."""
    curve = Curve.of(tests.scores, tests.labels, tests.seen)
    u, s = curve.unseen_accuracy, curve.seen_accuracy
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(u)) + np.abs(np.diff(s)))])
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], DRAWN)).clip(max=len(u) - 1))
    chosen = None if delta is None else curve.at(delta)
    return SeedCurve(seed, u[kept], s[kept], chosen, curve.at(0.0), curve.best())


def _classes(results: Sequence[Result]) -> tuple[ClassBar, ...]:
    def mean(index: int, column: str) -> float | None:
        values = [getattr(r.classes[index], column) for r in results]
        return None if None in values else float(np.mean(values))

    first = results[0].classes
    return tuple(
        ClassBar(c.name, c.seen, c.images, mean(i, "accuracy"), mean(i, "uncalibrated")) for i, c in enumerate(first)
    )


def _confusion(run: Run, tests: Sequence[TestScores], deltas: Sequence[float | None]) -> Confusion | None:
    names = run.benchmark.class_names
    shares = np.mean(
        [
            confusion(rivals(t.scores, t.seen).predict(delta or 0.0), t.labels, len(names))
            for t, delta in zip(tests, deltas)
        ],
        axis=0,
    )
    pairs = most_confused(shares, len(names))
    shown = confused_classes(pairs, CONFUSED)
    tested = [c for c in shown if shares[c].any()]
    if not tested:
        return None
    part = shares[np.ix_(tested, tested)]
    return Confusion(
        names=tuple(names[c] for c in tested),
        seen=tuple(bool(tests[0].seen[c]) for c in tested),
        shares=part,
        elsewhere=1 - part.sum(1),
        pairs=tuple((names[i], names[j], share) for i, j, share in pairs[:PAIRS]),
    )


def _errors(run: Run, features: Features) -> SemanticErrors | None:
    """The error matrix, averaged over seeds; None for heads that do not predict semantics."""
    heads = [run.head(seed) for seed in run.seeds]
    found = [imbalance(head, features, run.benchmark) for head in heads if isinstance(head, PredictsSemantics)]
    if not found:
        return None
    mean = replace(found[0], errors=np.mean([f.errors for f in found], axis=0))
    tested = ~np.isnan(mean.errors).all(1)
    return SemanticErrors(
        matrix=mean.errors[tested],
        names=tuple(np.array(run.benchmark.class_names)[tested].tolist()),
        seen=mean.is_seen[tested],
        attributes=run.benchmark.attribute_names,
        by_value={"seen": mean.by_value(seen=True), "unseen": mean.by_value(seen=False)},
        summaries=mean.sides,
    )


def errors_during_training(workspace: Workspace, run: Run) -> dict[int, dict[str, list[float]]]:
    """Statistics of the semantic errors on the test images after every epoch, by seed (Ye et al., 2023, figure 10).

    The heads are trained once more with the chosen settings. Empty for heads that do not predict semantics or do not
    train in epochs.
    """
    features = store_of_run(workspace, run).features()
    found: dict[int, dict[str, list[float]]] = {}
    for seed in track(run.seeds, "training again, seeds"):
        head, params = run.head(seed), run.choice(seed).params
        if not isinstance(head, PredictsSemantics) or "epochs" not in head.get_params():
            continue
        curves: dict[str, list[float]] = {}
        setting = {**params, "epochs": head.get_params()["epochs"]}
        for _, fitted in fit_candidates(head.with_params(), features, run.benchmark, [setting]):
            for side, summary in imbalance(fitted, features, run.benchmark).sides.items():  # type: ignore[arg-type]
                for name, value in (
                    ("mean error", summary.mean),
                    ("deviation of errors", summary.std),
                    ("r of errors and values", summary.pearson_mean_over_classes),
                ):
                    curves.setdefault(f"{name}, {side} classes", []).append(value)
        found[seed] = {name: values for name, values in curves.items() if np.isfinite(values).all()}
    return found


def _numbers(run: RunContent) -> dict[str, Any]:
    rows = [
        {
            "kind": kind_of(row),
            "chosen_by": row.rule,
            "delta": row.delta,
            **{k: v if isinstance(v, float) else asdict(v) for k, v in row.numbers.items()},
        }
        for row in run.rows
    ]
    about = {k: run.about[k] for k in ("dataset", "head", "seeds")}
    return {
        "run": run.name,
        **about,
        "headline": headline(run),
        "errors_by_epoch": {str(seed): curves for seed, curves in run.errors_by_epoch.items()},
        "counts": {side: count._asdict() for side, count in run.counts.items()},
        "rows": rows,
        "without_images": list(run.without_images),
        "notes": list(run.notes),
    }
