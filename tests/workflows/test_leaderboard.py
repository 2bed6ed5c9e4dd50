"""`zslpipe leaderboard`: what is listed, in which order, and what is said of the others."""

import json
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.statistics import estimate
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.workflows.evaluate import EVALUATION, evaluate_run
from zslpipe.workflows.leaderboard import leaderboard
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

Train = Callable[..., Run]


@pytest.fixture
def train(tiny: tuple[Benchmark, np.ndarray], workspace: Workspace) -> Train:
    """Train eszsl with this gamma on a store of tiny's features, or on another."""
    benchmark, features = tiny

    def store(name: str) -> FeatureStore:
        path = workspace.stores / name
        if path.exists():
            return FeatureStore.open(path)
        provenance = {"fingerprinted": {"backbone": {"name": name}}, "recorded": {}}
        made = FeatureStore.create(path, benchmark, {"global": TapSpec((16,), "float32")}, provenance)
        noise = np.random.default_rng(1).normal(size=features.shape)
        made.write_piece(0, {"global": (features + noise).astype(np.float32)})
        return made

    def run(gamma: float, name: str = "tiny", **options: object) -> Run:
        return train_head(workspace, "eszsl", store(name), settings={"gamma": gamma, "lambda_": 1.0}, **options)[0]

    return run


def test_runs_are_sorted_and_the_others_named(workspace: Workspace, train: Train) -> None:
    trained = [train(1e4), train(1.0), train(100.0)]
    later, oracle, seen = train(10.0), train(1.0, selection="oracle"), train(1.0, selection="seen")
    for run in trained:
        evaluate_run(workspace, run, True, True, "validated")
    done = leaderboard(workspace)
    heights = [entry.estimates["H"].mean for entry in done.entries]
    assert {entry.run.name for entry in done.entries} == {run.name for run in trained}
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) > 1
    assert done.not_evaluated == (later.name,)
    assert set(done.not_validated) == {oracle.name, seen.name}
    text = done.text()
    assert "sorted by H on the test images" in text
    assert f"not evaluated yet (--evaluate does it): {later.name}" in text
    assert "oracle" not in text.replace(oracle.name, "").replace("(--evaluate", "")  # no such number


def test_by_validation_and_with_the_rest_evaluated(workspace: Workspace, train: Train) -> None:
    trained = [train(1e4), train(1.0), train(100.0)]
    assert not leaderboard(workspace).entries
    done = leaderboard(workspace, order="validation", evaluate=True)
    validated = [run.choice(0).metrics["H"] for run in trained]
    assert [entry.validation_H for entry in done.entries] == sorted(validated, reverse=True)
    assert done.not_evaluated == ()
    assert "sorted by H on the validation classes" in done.text()


@pytest.mark.parametrize("kept", ["oracle", "none"])
def test_numbers_are_validated_however_a_run_was_last_evaluated(workspace: Workspace, train: Train, kept: str) -> None:
    run = train(1.0)
    evaluate_run(workspace, run, True, True, "validated")
    (before,) = leaderboard(workspace).entries
    evaluate_run(workspace, run, True, kept == "oracle", "oracle" if kept == "oracle" else "validated")
    (after,) = leaderboard(workspace).entries
    assert after.estimates == before.estimates


def test_intervals_cover_the_choice_of_the_folds_where_it_is_known(workspace: Workspace, train: Train) -> None:
    run = train(1.0)
    known = evaluate_run(workspace, run, True, True, "validated")
    assert len(known.without) > 1
    (entry,) = leaderboard(workspace).entries
    assert entry.estimates == estimate(list(known.results.values()), without=known.without)
    assert entry.estimates["H"].folds is not None
    (run.path / EVALUATION).write_text("{")  # damaged: the scores are left
    (entry,) = leaderboard(workspace).entries
    assert entry.estimates == estimate(list(known.results.values()))
    assert entry.estimates["H"].folds is None


def test_a_store_a_dataset_or_the_newest(workspace: Workspace, train: Train) -> None:
    one, other = train(1.0), train(1.0, "other")
    for wanted, names in (({"store": "other"}, {other.name}), ({"dataset": "tiny"}, {one.name, other.name})):
        assert {e.run.name for e in leaderboard(workspace, evaluate=True, **wanted).entries} == names
    shutil.rmtree(workspace.stores)
    assert len(leaderboard(workspace).entries) == 2  # saved numbers need no store
    with pytest.raises(InputError, match="no runs on cub"):
        leaderboard(workspace, dataset="cub")


def test_the_command(workspace: Workspace, train: Train) -> None:
    run = train(1.0)
    places = ["--cache", str(workspace.cache), "--data-root", str(workspace.data_root)]
    done = CliRunner().invoke(main, ["leaderboard", "--evaluate", "--json", *places])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["sorted_by"] == "H, test"
    assert [entry["run"] for entry in told["runs"]] == [run.name]
    assert run.name in CliRunner().invoke(main, ["leaderboard", *places]).stdout
    empty = CliRunner().invoke(main, ["leaderboard", "--cache", str(workspace.cache / "empty")])
    assert empty.exit_code == 2
    assert "train-head" in empty.stderr
