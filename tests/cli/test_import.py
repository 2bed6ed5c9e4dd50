"""zslpipe import: the variable, the type and the compression of what is stored."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.store.feature_store import FeatureStore


def test_key_dtype_and_compression(with_store: Path) -> None:
    rng = np.random.default_rng(1)
    arrays = {"features": rng.normal(size=(60, 4)), "embeddings": rng.normal(size=(60, 6))}
    np.savez("two.npz", **arrays)
    options = ("--key", "embeddings", "--dtype", "float16", "--compression", "zstd", "--name", "mine", "--json")
    done = CliRunner().invoke(main, ["import", "two.npz", "--dataset", "sun", *options])
    assert done.exit_code == 0, done.output
    store = FeatureStore.open(Path(json.loads(done.stdout)["store"]))
    assert store.taps["global"].dtype == "float16"
    assert store.layout.compression == "zstd"
    assert np.array_equal(store.rows("global")[:], arrays["embeddings"].astype(np.float16))
    usual = json.loads(CliRunner().invoke(main, ["import", "two.npz", "--dataset", "sun", "--json"]).stdout)
    assert usual["taps"] == {"global": [60, 4]}


def test_a_variable_that_is_not_there(with_store: Path) -> None:
    np.savez("one.npz", features=np.zeros((60, 4)))
    done = CliRunner().invoke(main, ["import", "one.npz", "--dataset", "sun", "--key", "feature"])
    assert done.exit_code == 2
    assert "one.npz has no 'feature'; it contains features" in done.stderr
    assert CliRunner().invoke(main, ["import", "one.npz", "--dataset", "sun", "--dtype", "int8"]).exit_code == 2


def test_the_grid_of_regions(with_store: Path) -> None:
    np.savez("regions.npz", features=np.zeros((60, 8, 3), np.float32))
    line = ["import", "regions.npz", "--dataset", "sun", "--json"]
    done = CliRunner().invoke(main, [*line, "--grid", "2x4"])
    assert done.exit_code == 0, done.output
    store = FeatureStore.open(Path(json.loads(done.stdout)["store"]))
    assert store.taps["region"].grid == (2, 4)
    assert store.features().backbone == {"name": "regions"}
    for wrong, sentence in (("3x3", "has 8 regions, not a grid"), ("3by3", "is not HEIGHTxWIDTH")):
        refused = CliRunner().invoke(main, [*line, "--grid", wrong])
        assert refused.exit_code == 2
        assert sentence in refused.stderr
