"""A place to work with a small store."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from zslpipe.cli import main


@pytest.fixture
def with_store(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose data root and cache commands find by themselves; the cache has a store of 60 images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    np.save("features.npy", np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32))
    assert CliRunner().invoke(main, ["import", "features.npy", "--dataset", "sun"]).exit_code == 0
    return tmp_path
