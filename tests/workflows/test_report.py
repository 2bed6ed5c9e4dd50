"""`zslpipe report` on real runs over a small store."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.imbalance import imbalance, semantic_errors
from zslpipe.evaluation.scores import read_scores
from zslpipe.evaluation.statistics import estimate
from zslpipe.heads import HEADS, Classes, Head
from zslpipe.parts.head import Scorer
from zslpipe.parts.problem import TrainingData
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import Features
from zslpipe.workflows.evaluate import evaluate_run
from zslpipe.workflows.report import report
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace


@dataclass
class Linear(Head):
    """Least squares onto the semantics."""

    name = "linear"

    def learn(self, data: TrainingData) -> None:
        self.weights_ = np.linalg.lstsq(data.features["global"][:], data.semantics[data.labels], rcond=None)[0]

    def predict_semantics(self, features: Features) -> np.ndarray:
        return features["global"][:] @ self.weights_

    def scorer(self, classes: Classes) -> Scorer:
        return lambda features: self.predict_semantics(features) @ classes.semantics.T

    def state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.weights_ = state["weights"]


@pytest.fixture
def heads() -> Iterator[None]:
    HEADS.register("linear")(Linear)
    yield
    del HEADS._things["linear"]


@pytest.fixture
def store(tiny: tuple[Benchmark, np.ndarray], workspace: Workspace) -> FeatureStore:
    benchmark, features = tiny
    provenance: dict[str, Any] = {"fingerprinted": {"backbone": {"name": "fake"}}, "recorded": {}}
    made = FeatureStore.create(workspace.stores / "tiny", benchmark, {"global": TapSpec((16,), "float32")}, provenance)
    noise = np.random.default_rng(1).normal(size=features.shape)  # so that classes are confused
    made.write_piece(0, {"global": (features + 1.5 * noise).astype(np.float32)})
    return made


def trained(workspace: Workspace, store: FeatureStore, head: str, **options: Any) -> Run:
    return train_head(workspace, head, store, **options)[0]


def test_an_unevaluated_run_is_evaluated_and_shown(workspace: Workspace, store: FeatureStore, heads: None) -> None:
    run = trained(workspace, store, "linear", seeds=(0, 1))
    done = report(workspace)
    assert done.path == workspace.cache / "reports" / f"{run.name}.html"
    assert run.name in done.path.read_text()
    (shown,) = done.runs
    kept = read_scores(run.path / "seed-1" / "scores")
    curve = Curve.of(kept.scores, kept.labels, kept.seen)
    drawn = shown.curves[1]
    assert drawn.chosen == curve.at(run.choice(1).delta or 0.0)
    assert drawn.oracle == curve.best()
    points = set(zip(curve.unseen_accuracy, curve.seen_accuracy))
    assert set(zip(drawn.unseen, drawn.seen)) <= points
    assert (drawn.unseen[0], drawn.seen[-1]) == (0, 0)
    honest, oracle = shown.rows
    assert honest.numbers["H"].mean == pytest.approx(np.mean([c.chosen.H for c in shown.curves if c.chosen]))
    assert oracle.oracle


def test_error_matrix_is_the_mean_over_seeds_of_tested_classes(
    workspace: Workspace, store: FeatureStore, heads: None
) -> None:
    run = trained(workspace, store, "linear", seeds=(0, 1))
    errors = report(workspace).runs[0].errors
    assert errors is not None
    benchmark = run.benchmark
    index = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    rows = {"global": store.rows("global")[index]}
    one = semantic_errors(run.head(0).predict_semantics(rows), benchmark.labels[index], benchmark.semantics)  # type: ignore[attr-defined]
    np.testing.assert_allclose(errors.matrix, one, rtol=1e-5)  # both seeds learn the same
    assert errors.attributes == benchmark.attribute_names
    assert list(errors.seen) == [True] * 9 + [False] * 3


def test_confusions_are_of_the_calibrated_predictions(workspace: Workspace, store: FeatureStore) -> None:
    run = trained(workspace, store, "eszsl", settings={"gamma": 1.0, "lambda_": 1.0})
    shown = report(workspace).runs[0]
    kept = read_scores(run.path / "seed-0" / "scores")
    predicted = (kept.scores - (kept.delta or 0.0) * kept.seen).argmax(1)
    assert shown.confusion is not None
    assert len(shown.confusion.names) > 3
    for i, name in enumerate(shown.confusion.names):
        images = kept.labels == kept.class_names.index(name)
        for j, other in enumerate(shown.confusion.names):
            share = np.mean(predicted[images] == kept.class_names.index(other))
            assert shown.confusion.shares[i, j] == pytest.approx(share)
        assert shown.confusion.elsewhere[i] == pytest.approx(1 - shown.confusion.shares[i].sum())
    accuracies = [np.mean(predicted[kept.labels == c] == c) for c in range(12)]
    assert [c.accuracy for c in shown.classes] == pytest.approx(accuracies)


def test_scores_kept_without_calibration_do_not_change_the_page(workspace: Workspace, store: FeatureStore) -> None:
    run = trained(workspace, store, "eszsl", settings={"gamma": 1.0, "lambda_": 1.0})
    first = report(workspace).as_json()["runs"]
    arguments = ["eval", run.name, "--gzsl", "--cache", str(workspace.cache), "--data-root", str(workspace.data_root)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert report(workspace).as_json()["runs"] == first


def test_intervals_cover_the_choice_of_the_folds(workspace: Workspace, store: FeatureStore) -> None:
    run = trained(workspace, store, "eszsl", settings={"gamma": 1.0, "lambda_": 1.0})
    known = evaluate_run(workspace, run, True, True, "validated")
    (shown,) = report(workspace).runs
    assert shown.rows[0].numbers == estimate(list(known.results.values()), without=known.without)
    assert "validation folds" in shown.interval


def test_a_run_chosen_on_the_test_set_is_never_called_validated(workspace: Workspace, store: FeatureStore) -> None:
    trained(workspace, store, "eszsl", selection="oracle", settings={"gamma": 1.0})
    (run,) = report(workspace).as_json()["runs"]
    assert {row["kind"] for row in run["rows"]} == {"oracle"}
    assert "chosen on the test set" in run["notes"][0]


def test_seen_validation_leaves_a_run_uncalibrated(workspace: Workspace, store: FeatureStore) -> None:
    trained(workspace, store, "eszsl", selection="seen", settings={"gamma": 1.0})
    done = report(workspace)
    assert [row["kind"] for row in done.as_json()["runs"][0]["rows"]] == ["not calibrated", "oracle"]
    assert all(curve.chosen is None for curve in done.runs[0].curves)


def test_a_run_outlives_its_store_if_it_was_evaluated(workspace: Workspace, store: FeatureStore, heads: None) -> None:
    run = trained(workspace, store, "linear")
    other = trained(workspace, store, "eszsl", settings={"gamma": 1.0, "lambda_": 1.0})
    before = report(workspace, [run.name]).as_json()["runs"][0]["rows"]
    shutil.rmtree(store.path)
    done = report(workspace, [run.name])
    assert done.as_json()["runs"][0]["rows"] == before
    assert any("left out" in note for note in done.runs[0].notes)
    with pytest.raises(InputError, match="store of run"):
        report(workspace, [other.name])


def test_the_command(workspace: Workspace, store: FeatureStore, heads: None, tmp_path: Path) -> None:
    runs = [trained(workspace, store, "linear"), trained(workspace, store, "eszsl", settings={"gamma": 1.0})]
    names, out = [run.name for run in runs], tmp_path / "page.html"
    places = ["--cache", str(workspace.cache), "--data-root", str(workspace.data_root)]
    done = CliRunner().invoke(main, ["report", *names, "--out", str(out), "--json", *places])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["page"] == str(out)
    assert [run["run"] for run in said["runs"]] == names
    assert all(name in out.read_text() for name in names)
    twice = CliRunner().invoke(main, ["report", names[0], names[0], *places])
    assert twice.exit_code == 2
    assert "given twice" in twice.output
    missing = CliRunner().invoke(main, ["report", "nothing", *places])
    assert missing.exit_code == 2


def test_synthetic_features_are_compared_with_test_images(workspace: Workspace, store: FeatureStore) -> None:
    settings = {"epochs": 2, "batch": 16, "hidden": 8, "synthetic": 5, "classifier_epochs": 1, "device": "cpu"}
    trained(workspace, store, "tf-vaegan", settings=settings, selection_options={"folds": 1})
    shown = report(workspace).runs[0]
    assert shown.synthetic is not None
    assert set(shown.synthetic.sides) == {"seen", "unseen"}
    assert "Real and synthetic features" in report(workspace).path.read_text()


def test_errors_can_be_followed_through_the_training(workspace: Workspace, store: FeatureStore) -> None:
    run, _ = train_head(workspace, "remse", store, settings={"branch": "global", "epochs": 3})
    closed, _ = train_head(workspace, "eszsl", store)
    done = report(workspace, [run.name, closed.name], errors_by_epoch=True)
    (curves,) = done.runs[0].errors_by_epoch.values()
    epochs = run.choice(0).params["epochs"]
    assert {len(values) for values in curves.values()} == {epochs}
    last = imbalance(run.head(0), store.features(), run.benchmark)  # type: ignore[arg-type]
    assert curves["mean error, unseen classes"][-1] == pytest.approx(last.unseen.mean, rel=1e-4)
    assert done.runs[1].errors_by_epoch == {}
    assert "Semantic errors during training" in done.path.read_text(encoding="utf-8")
