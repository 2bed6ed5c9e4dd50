"""`zslpipe sweep`: all points of a file are trained once, failures stop nobody, and what is finished is found again."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.errors import InputError
from zslpipe.plugins import load_plugin
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.runs import runs
from zslpipe.workflows.sweep import sweep
from zslpipe.workflows.sweep_file import SweepFile
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

FILE = """
heads:
  - head: eszsl
    settings: {gamma: [1, 10], lambda_: 1}
  - head: apn
    name: needs regions
semantics: att
seeds: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "both.yaml").write_text(FILE)
    return tmp_path / "both.yaml"


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_all_points_are_trained_and_a_failure_stops_nobody(
    workspace: Workspace, store: FeatureStore, file: Path, jobs: int
) -> None:
    done = sweep(workspace, file, jobs=jobs)
    assert [o.point.label for o in done.outcomes] == ["eszsl gamma=1", "eszsl gamma=10", "needs regions"]
    assert [o.error is None for o in done.outcomes] == [True, True, False]
    assert "region" in str(done.failures[0].error)
    text = done.text().splitlines()
    assert text[1].startswith("eszsl gamma=1 ")
    assert text[-1].startswith("failed   needs regions: ")
    assert done.page == workspace.cache / "reports" / "both.html"
    assert done.page.is_file()
    alone, _ = train_head(workspace, "eszsl", store, settings={"gamma": 10, "lambda_": 1}, seeds=range(2))
    made = done.outcomes[1].evaluation
    assert made is not None
    for seed in range(2):
        one, other = (run.path / f"seed-{seed}" / "head.safetensors" for run in (alone, made.run))
        assert one.read_bytes() == other.read_bytes()


def test_a_repeated_sweep_trains_only_what_is_missing(workspace: Workspace, store: FeatureStore, file: Path) -> None:
    first = sweep(workspace, file, jobs=1)
    assert len(runs(workspace.runs)) == 2
    file.write_text(FILE.replace("[1, 10]", "[1, 10, 100]"))
    again = sweep(workspace, file, jobs=1)
    assert [o.found for o in again.outcomes] == [True, True, False, False]
    assert len(runs(workspace.runs)) == 3
    old, new = first.outcomes[0].evaluation, again.outcomes[0].evaluation
    assert old is not None
    assert new is not None
    assert old.run == new.run
    assert old.results[1].H == new.results[1].H
    assert first.text().splitlines()[1].split() == again.text().splitlines()[1].split()


def test_a_run_that_was_not_evaluated_is_evaluated_and_not_trained_again(
    workspace: Workspace, store: FeatureStore, file: Path
) -> None:
    file.write_text("heads: [eszsl]")
    kept, _ = train_head(workspace, "eszsl", store, semantics="att")
    (outcome,) = sweep(workspace, file, jobs=1).outcomes
    assert outcome.evaluation is not None
    assert outcome.evaluation.run == kept


def test_on_the_command_line(workspace: Workspace, store: FeatureStore, file: Path) -> None:
    line = ["sweep", str(file), "--jobs", "1", "--cache", str(workspace.cache), "--json"]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 1  # one failed
    told = json.loads(result.stdout)
    assert told["failed"] == 1
    assert [run["run"] is None for run in told["runs"]] == [False, False, True]
    assert told["runs"][0]["evaluation"]["seeds"]["1"]["H"] is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("head: eszsl", "head: eszls"), "did you mean eszsl"),
        (("gamma", "gama"), "did you mean gamma"),
        (("[1, 10]", "[1, -1]"), "gamma must be a number > 0, not -1"),
        (("[1, 10]", "[1, 1]"), "two runs are called 'eszsl gamma=1'"),
        (("[1, 10]", "[]"), "gamma has no value"),
        (("    name: needs", "    nmae: needs"), "did you mean name"),
        (("seeds: 2", "seeds: 0"), "seeds must be an integer between 1 and 1000, not 0"),
        (("seeds: 2", "sedes: 2"), "did you mean seeds"),
        (("seeds: 2", "selection: unseen"), "unseen-class"),
        (("seeds: 2", "rule: {fold: 2}"), "fold"),
        (("seeds: 2", "stores: 3"), "stores must be a list"),
        (("semantics: att", "semantics: []"), "it has no runs"),
    ],
)
def test_an_unsound_file_is_refused(change: tuple[str, str], told: str, file: Path) -> None:
    assert change[0] in FILE
    file.write_text(FILE.replace(*change))
    with pytest.raises(InputError, match=told):
        SweepFile.read(file)


def test_labels_tell_the_points_apart(file: Path) -> None:
    file.write_text("heads: [eszsl, gfzsl]\nstores: [a/one, two]\nsemantics: [att, sentences]")
    labels = [point.label for point in SweepFile.read(file).points()]
    assert labels[:2] == ["eszsl, att, one", "gfzsl, att, one"]
    assert labels[-1] == "gfzsl, sentences, two"


def test_an_unknown_store_is_refused_before_any_training(workspace: Workspace, store: FeatureStore, file: Path) -> None:
    file.write_text("heads: [eszsl]\nstores: [tiny, tyni]")
    with pytest.raises(InputError, match="did you mean tiny"):
        sweep(workspace, file)
    assert not runs(workspace.runs)


@pytest.mark.slow
@pytest.mark.parametrize("on", ["dask", "ray"])
def test_a_cluster_gives_the_same_numbers(workspace: Workspace, store: FeatureStore, file: Path, on: str) -> None:
    pytest.importorskip({"dask": "distributed", "ray": "ray"}[on])
    elsewhere = Workspace(workspace.data_root, workspace.cache.with_name("other"))
    file.write_text(f"{FILE}\nstores: {store.path}")
    here, there = sweep(workspace, file, jobs=1), sweep(elsewhere, file, jobs=2, on=on)  # type: ignore[arg-type]
    assert here.text() == there.text()
    assert len(runs(elsewhere.runs)) == 2


@pytest.mark.slow
def test_workers_know_the_plugins(workspace: Workspace, store: FeatureStore, file: Path) -> None:
    load_plugin(Path(__file__).parents[2] / "examples" / "my_head.py")
    file.write_text("heads: [nearest-prototype, eszsl]")
    assert not sweep(workspace, file, jobs=2).failures
