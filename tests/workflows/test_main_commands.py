"""The mission's three commands, as they are written, on a miniature SUN."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zslpipe.cli import main


def zslpipe(*line: str) -> Result:
    return CliRunner().invoke(main, line, catch_exceptions=False)


@pytest.fixture
def at_work(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose data root and cache the commands find by themselves; gives the cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.delenv("ZSLPIPE_CACHE", raising=False)
    return tmp_path / "cache"


def test_extract_train_eval(at_work: Path) -> None:
    small = ("--weights", "random", "--image-size", "64", "--batch-size", "8")
    extracted = zslpipe("extract", "--backbone", "resnet101", "--dataset", "sun", *small)
    assert extracted.exit_code == 0, extracted.output
    assert "60 x 2048" in extracted.output
    assert "60 x 4 x 2048" in extracted.output
    assert "60 computed, 0 reused, 0 failed" in extracted.output

    again = zslpipe("extract", "--backbone", "resnet101", "--dataset", "sun", *small)
    assert "0 computed, 60 reused" in again.output

    trained = zslpipe("train-head", "remse", "--set", "epochs=2")
    assert trained.exit_code == 0, trained.output
    assert "newest" in trained.output  # says which store it took

    evaluated = zslpipe("eval", "--gzsl", "--calibrate", "--json")
    assert evaluated.exit_code == 0, evaluated.output
    (row,) = json.loads(evaluated.stdout)
    assert row["selection"] == "unseen-class"
    assert {"T1", "U", "S", "H", "AUSUC"} <= set(row["seeds"]["0"])
    assert row["confidence"]["0"]["temperature"] > 0
    assert 0 <= row["confidence"]["0"]["auroc"] <= 1
    table = zslpipe("eval", "--gzsl", "--calibrate").output
    for word in ("T1", "AUSUC", "oracle", "unseen-class", "remse", "ECE before", "ECE after", "AUROC"):
        assert word in table
