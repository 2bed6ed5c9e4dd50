"""A workspace in a temporary folder, and a store of tiny features in it."""

from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.workflows.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data", tmp_path / "cache")


@pytest.fixture
def store(tiny: tuple[Benchmark, np.ndarray], workspace: Workspace) -> FeatureStore:
    benchmark, features = tiny
    provenance = {"fingerprinted": {"backbone": {"name": "fake"}}, "recorded": {}}
    made = FeatureStore.create(workspace.stores / "tiny", benchmark, {"global": TapSpec((16,), "float32")}, provenance)
    made.write_piece(0, {"global": features})
    return made
