"""Features leave and come back through the command line, and are the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import loadmat

from zslpipe.cli import main
from zslpipe.store.feature_store import FeatureStore


def zslpipe(*line: str) -> dict:
    done = CliRunner().invoke(main, [*line, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def store(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of 60 rows imported from .npy."""
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    np.save(tmp_path / "features.npy", np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    return Path(zslpipe("import", str(tmp_path / "features.npy"), "--dataset", "sun")["store"])


def test_exported_mat_files_are_a_benchmark_of_their_own(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "mat"
    done = zslpipe("export", store.name, "--out", str(out))
    assert {Path(file).name for file in done["files"]} == {"res101.mat", "att_splits.mat"}
    assert loadmat(out / "res101.mat")["features"].shape == (4, 60)
    again = FeatureStore.open(Path(zslpipe("import", str(out / "res101.mat"), "--dataset", str(out))["store"]))
    before = FeatureStore.open(store)
    assert np.array_equal(again.rows("global")[:], before.rows("global")[:])
    for part in ("labels", "trainval", "test_seen", "test_unseen", "semantics"):
        assert np.array_equal(getattr(again.benchmark, part), getattr(before.benchmark, part)), part


def test_npy(store: Path, tmp_path: Path) -> None:
    zslpipe("export", store.name, "--out", str(tmp_path / "npy"), "--format", "npy")
    assert np.array_equal(np.load(tmp_path / "npy" / "global.npy"), FeatureStore.open(store).rows("global")[:])


def test_a_mat_file_may_itself_say_what_its_rows_are(sun_root: Path, tmp_path: Path, store: Path) -> None:
    """Where the dataset's folder holds only att_splits.mat, the file that is imported lists labels and images."""
    elsewhere = tmp_path / "downloaded.mat"
    (sun_root / "xlsa17/data/SUN/res101.mat").rename(elsewhere)
    assert zslpipe("import", str(elsewhere), "--dataset", "sun")["taps"] == {"global": [60, 4]}
