"""Wrong requests end in one sentence and exit code 2, and leave nothing behind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import loadmat, savemat

from zslpipe.cli import main

EXTRACT = ("extract", "--backbone", "resnet18", "--weights", "random", "--image-size", "32", "--dataset")
FOLDER = Path("xlsa17") / "data" / "SUN"


def change(file: Path, **variables: Callable[[np.ndarray], np.ndarray]) -> None:
    """Rewrite a .mat file with some of its variables changed."""
    content = {k: v for k, v in loadmat(file).items() if not k.startswith("__")}
    savemat(file, content | {k: f(content[k]) for k, f in variables.items()})


@pytest.fixture
def refused(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command that must be refused; gives its sentence."""
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    cache = tmp_path / "cache"
    monkeypatch.setenv("ZSLPIPE_CACHE", str(cache))

    def run(*line: str) -> str:
        before = {p for p in cache.rglob("*") if p.is_file()}
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 2, done.output
        assert done.stderr.startswith("zslpipe: ")
        assert len(done.stderr.splitlines()) == 1
        assert {p for p in cache.rglob("*") if p.is_file()} == before
        return done.stderr

    return run


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def put(array: np.ndarray) -> np.ndarray:
        array = array.astype(float)
        array[0, -1] = value
        return array

    return put


def test_a_missing_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "nowhere" in refused(*EXTRACT, str(tmp_path / "nowhere"))


def test_an_unreadable_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file.jpg").write_text("not a folder")
    assert "file.jpg" in refused(*EXTRACT, str(tmp_path / "file.jpg"))


@pytest.mark.parametrize("wrong", [0, 61, -3])
def test_indices_out_of_range(refused: Callable[..., str], sun_root: Path, wrong: int) -> None:
    change(sun_root / FOLDER / "att_splits.mat", trainval_loc=lambda a: np.append(a, [[wrong]], axis=0))
    assert "trainval" in refused(*EXTRACT, "sun")


def test_seen_and_unseen_classes_overlap(refused: Callable[..., str], sun_root: Path) -> None:
    change(sun_root / FOLDER / "att_splits.mat", trainval_loc=lambda a: np.append(a, [[60]], axis=0))
    change(sun_root / FOLDER / "att_splits.mat", test_unseen_loc=lambda a: a[:-1])
    assert "both seen and unseen" in refused(*EXTRACT, "sun")


def test_labels_of_another_length(refused: Callable[..., str], sun_root: Path) -> None:
    change(sun_root / FOLDER / "res101.mat", labels=lambda a: a[:-1])
    assert "59" in refused(*EXTRACT, "sun")


def test_features_of_another_length(refused: Callable[..., str], sun_root: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", np.zeros((59, 4), np.float32))
    assert "59" in refused("import", str(tmp_path / "features.npy"), "--dataset", "sun")


def test_an_attribute_matrix_of_other_classes(refused: Callable[..., str], sun_root: Path) -> None:
    change(sun_root / FOLDER / "att_splits.mat", att=lambda a: a[:, :-1])
    assert "classes" in refused(*EXTRACT, "sun")


def test_nan_in_attributes(refused: Callable[..., str], sun_root: Path) -> None:
    change(sun_root / FOLDER / "att_splits.mat", att=with_value(np.nan))
    assert "NaN" in refused(*EXTRACT, "sun")


def test_nan_in_features(refused: Callable[..., str], sun_root: Path, tmp_path: Path) -> None:
    features = np.zeros((60, 4), np.float32)
    features[7, 1] = np.nan
    np.save(tmp_path / "features.npy", features)
    assert "row 7" in refused("import", str(tmp_path / "features.npy"), "--dataset", "sun")


def test_an_unknown_backbone(refused: Callable[..., str]) -> None:
    assert "resnet101" in refused("extract", "--backbone", "resnet1o1", "--weights", "random", "--dataset", "sun")


def test_nothing_is_drawn_for_a_backbone_that_is_not_to_be_had(refused: Callable[..., str], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.safetensors")
    assert "gone" in refused("extract", "--backbone", "resnet18", "--weights", gone, "--dataset", "demo")


def test_an_unknown_head(refused: Callable[..., str]) -> None:
    assert "remse" in refused("train-head", "remes")


def test_an_unknown_data_set(refused: Callable[..., str]) -> None:
    assert "awa2" in refused(*EXTRACT, "awa3")


def test_a_store_of_another_data_set(refused: Callable[..., str]) -> None:
    assert CliRunner().invoke(main, [*EXTRACT, "sun"]).exit_code == 0
    store = CliRunner().invoke(main, ["cache", "ls", "--json"]).stdout
    name = store.split('"name": "')[1].split('"')[0]
    assert "sun" in refused("train-head", "eszsl", "--store", name, "--dataset", "cub")


def test_no_store_at_all(refused: Callable[..., str]) -> None:
    assert "zslpipe extract" in refused("train-head", "eszsl")


def test_no_network_and_no_weights(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "--weights" in refused("extract", "--backbone", "resnet101", "--dataset", "sun")


@pytest.mark.parametrize("line", [("quickstart",), ("train-head", "eszsl"), (*EXTRACT, "sun")], ids=" ".join)
def test_a_cache_that_cannot_be_written(refused: Callable[..., str], tmp_path: Path, line: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, [*EXTRACT, "sun"]).exit_code == 0
    store = next((tmp_path / "cache" / "stores").iterdir())
    (tmp_path / "file").write_text("no folder")
    more = ("--store", str(store)) if line[0] == "train-head" else ()
    done = CliRunner().invoke(main, [*line, *more, "--cache", str(tmp_path / "file" / "cache")])
    assert done.exit_code == 1, done.output
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in done.stderr
    assert "run again" in done.stderr


def test_settings_that_no_head_can_have(refused: Callable[..., str]) -> None:
    assert CliRunner().invoke(main, [*EXTRACT, "sun"]).exit_code == 0
    assert "gamma must be a number > 0, not 'abc'" in refused("train-head", "eszsl", "--set", "gamma=abc")
    assert "epochs must be an integer" in refused("train-head", "remse", "--set", "epochs=0")
    assert "did you mean adam" in refused("train-head", "remse", "--set", "optimiser=adm")
