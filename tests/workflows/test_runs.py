"""Runs through the command line: who chose, what is refused, what is kept, what is compared."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from zslpipe.cli import main
from zslpipe.errors import InputError
from zslpipe.workflows import runs
from zslpipe.workflows.workspace import Workspace

Run = Callable[..., Result]


@pytest.fixture
def zslpipe(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program, at work on a miniature SUN whose features follow its attributes."""
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    from zslpipe.data.load import load_benchmark

    benchmark, rng = load_benchmark("sun", sun_root), np.random.default_rng(0)
    features = benchmark.semantics[benchmark.labels] @ rng.normal(size=(5, 12)) + 0.3 * rng.normal(size=(60, 12))
    np.save(tmp_path / "features.npy", features.astype(np.float32))

    def run(*line: str) -> Result:
        return CliRunner().invoke(main, line)

    assert run("import", str(tmp_path / "features.npy"), "--dataset", "sun").exit_code == 0
    return run


def trained(zslpipe: Run, *line: str) -> str:
    done = zslpipe("train-head", *line, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["run"]


def test_calibration_without_validation_is_refused(zslpipe: Run) -> None:
    trained(zslpipe, "eszsl", "--selection", "seen")
    refused = zslpipe("eval", "--gzsl", "--calibrate")
    assert refused.exit_code == 2
    assert "--selection unseen-class" in refused.stderr
    assert "oracle" in refused.stderr
    assert zslpipe("eval", "--gzsl").exit_code == 0
    by_name = zslpipe("eval", "--gzsl", "--calibrate", "--selection", "oracle")
    assert by_name.exit_code == 0
    assert "oracle" in by_name.output


def test_an_oracle_run_is_never_shown_as_validated(zslpipe: Run) -> None:
    trained(zslpipe, "eszsl", "--selection", "oracle")
    assert zslpipe("eval", "--gzsl", "--calibrate").exit_code == 2


def test_the_table_can_be_recomputed_without_us(zslpipe: Run, tmp_path: Path) -> None:
    run = Path(trained(zslpipe, "eszsl"))
    (row,) = json.loads(zslpipe("eval", "--gzsl", "--calibrate", "--json").stdout)
    tables = list((run / "seed-0" / "scores").glob("*.csv"))
    with next(t for t in tables if "predicted" in t.read_text().splitlines()[0]).open(newline="") as stream:
        images = list(csv.DictReader(stream))
    unseen = {f"scene_{c}" for c in range(7, 10)}

    def accuracy(column: str, classes: set[str]) -> float:
        right: dict[str, list[bool]] = {}
        for image in images:
            if image["class"] in classes:
                right.setdefault(image["class"], []).append(image[column] == image["class"])
        return float(np.mean([np.mean(r) for r in right.values()]))

    numbers = row["seeds"]["0"]
    assert numbers["T1"] == pytest.approx(accuracy("predicted_zsl", unseen))
    assert numbers["U"] == pytest.approx(accuracy("predicted", unseen))
    assert numbers["S"] == pytest.approx(accuracy("predicted", {f"scene_{c}" for c in range(7)}))


def test_how_uneven_semantic_errors_are_stands_beside_the_accuracies(zslpipe: Run) -> None:
    before = trained(zslpipe, "attention-net", "--set", "branch=global", "--set", "loss=sce", "--set", "epochs=2")
    after = trained(zslpipe, "remse", "--set", "epochs=2", "--seeds", "2")
    (row,) = json.loads(zslpipe("eval", after, "--gzsl", "--calibrate", "--json").stdout)
    assert set(row["semantic_errors"]) == {"0", "1"}
    assert row["semantic_errors"]["0"]["unseen"]["std"] > 0
    assert "r with value" in zslpipe("eval", after, "--gzsl").stdout
    both = zslpipe("compare", before, after).stdout
    assert both.count("unseen") >= 2
    assert "semantic errors" in both
    trained(zslpipe, "eszsl")
    assert "semantic errors" not in zslpipe("eval", "--gzsl").stdout


def test_an_unknown_option_of_the_rule_is_refused(zslpipe: Run) -> None:
    refused = zslpipe("train-head", "eszsl", "--rule", "fold=2")
    assert refused.exit_code == 2
    assert "folds" in refused.stderr
    choices = json.loads(zslpipe("train-head", "eszsl", "--rule", "folds=2", "--json").stdout)["choices"]
    assert choices["0"]["folds"] == 2


def test_seeds_are_compared_in_words(zslpipe: Run) -> None:
    one = trained(zslpipe, "eszsl", "--seeds", "2")
    other = trained(zslpipe, "eszsl", "--seeds", "2", "--set", "gamma=1000", "--set", "lambda_=1000")
    done = zslpipe("compare", Path(one).name, Path(other).name)
    assert done.exit_code == 0, done.output
    assert "noise" in done.output
    table = zslpipe("eval", "--gzsl", "--calibrate", Path(one).name, Path(other).name).output
    assert Path(one).name in table
    assert Path(other).name in table


def test_settings_that_a_head_lacks_are_refused(zslpipe: Run, tmp_path: Path) -> None:
    refused = zslpipe("train-head", "eszsl", "--set", "gama=1")
    assert refused.exit_code == 2
    assert "gamma" in refused.stderr
    assert not list(Workspace.at().runs.glob("*"))


def test_a_run_whose_store_is_gone_says_what_to_do(zslpipe: Run) -> None:
    trained(zslpipe, "eszsl")
    stores = json.loads(zslpipe("cache", "ls", "--json").stdout)
    name = next(row["name"] for row in stores if row["kind"] == "store")
    assert zslpipe("cache", "rm", "--yes", name).exit_code == 0
    refused = zslpipe("eval", "--gzsl", "--calibrate")
    assert refused.exit_code == 2
    assert "again" in refused.stderr


def test_listing_and_describing(zslpipe: Run) -> None:
    trained(zslpipe, "eszsl")
    assert {row["kind"] for row in json.loads(zslpipe("cache", "ls", "--json").stdout)} == {"store", "run"}
    assert "fingerprint" in zslpipe("cache", "info").output
    assert "intact" in zslpipe("cache", "verify").output


def test_a_run_of_a_later_version_asks_for_an_update(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match=r"written by a later version of zslpipe \(format 99\)"):
        _ = runs.Run(tmp_path).about


def test_more_than_two_runs_are_compared_with_the_best(zslpipe: Run) -> None:
    settings = (("1000", "1000"), ("2000", "1000"), ("1", "0.01"))
    names = [Path(trained(zslpipe, "eszsl", "--set", f"gamma={g}", "--set", f"lambda_={r}")).name for g, r in settings]
    told = json.loads(zslpipe("compare", *names, "--json").stdout)
    best = told["comparisons"][0]["runs"][1]
    runs = json.loads(zslpipe("eval", *names, "--gzsl", "--calibrate", "--json").stdout)
    h = {run["run"]: run["seeds"]["0"]["H"] for run in runs}
    assert h[best] == max(h.values())
    weak = sorted((name for name in names if name != best), key=h.__getitem__)
    assert {tuple(pair["runs"]) for pair in told["comparisons"]} == {(name, best) for name in weak}
    assert all(pair["H"]["mean"] <= 0 for pair in told["comparisons"])
    two = json.loads(zslpipe("compare", weak[0], best, "--json").stdout)
    wide, usual = next(pair for pair in told["comparisons"] if pair["runs"][0] == weak[0])["S"], two["S"]
    assert (usual["level"], wide["level"]) == (0.95, pytest.approx(1 - 0.05 / 3))
    assert wide["high"] - wide["low"] >= usual["high"] - usual["low"] > 0
    shown = zslpipe("compare", *names).stdout  # of equally good runs the first counts as the best
    assert f"{best}, which has the highest H" in shown
    assert "98.3 % interval" in shown
    for wrong in ([best], [best, weak[0], best]):
        assert zslpipe("compare", *wrong).exit_code == 2


def test_tables_for_papers_and_spreadsheets(zslpipe: Run) -> None:
    name = Path(trained(zslpipe, "eszsl")).name
    asked = ("eval", "--gzsl", "--calibrate", "--format")
    validated, oracle = csv.DictReader(zslpipe(*asked, "csv").stdout.splitlines())
    assert (validated["run"], validated["oracle"], oracle["run"], oracle["oracle"]) == (name, "false", name, "true")
    assert zslpipe(*asked, "latex").stdout.startswith("% percent")
    assert zslpipe(*asked, "markdown").stdout.startswith("| run | T1 |")
    assert zslpipe(*asked, "csv", "--json").exit_code == 2


def test_a_grid_of_settings_is_tried(zslpipe: Run) -> None:
    done = zslpipe("train-head", "eszsl", "--set", "gamma=1,10,100", "--set", "lambda_=1,2", "--json")
    trials = json.loads(done.stdout)["choices"]["0"]["trials"]
    assert [(t["setting"]["gamma"], t["setting"]["lambda_"]) for t in trials] == [
        (g, p) for g in (1, 10, 100) for p in (1, 2)
    ]
    twice = zslpipe("train-head", "eszsl", "--set", "gamma=1", "--set", "gamma=2")
    assert twice.exit_code == 2
    assert "gamma is given twice, as 1 and as 2" in twice.stderr


def test_the_device_is_a_setting_of_the_head(zslpipe: Run) -> None:
    short = ("--set", "epochs=1", "--set", "branch=global")
    run = trained(zslpipe, "attention-net", *short, "--device", "cpu")
    assert json.loads((Path(run) / "seed-0" / "head.json").read_text())["params"]["device"] == "cpu"
    refused = zslpipe("train-head", "attention-net", *short, "--device", "gpu")
    assert refused.exit_code == 2
    assert "unknown device 'gpu'" in refused.stderr
    assert zslpipe("train-head", "eszsl", "--device", "cuda").exit_code == 2  # a closed form runs on the CPU
