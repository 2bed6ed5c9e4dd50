"""The true CUB protocol: validated numbers are in the expected range and close to the oracle's."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from zslpipe.data.load import load_benchmark
from zslpipe.data.semantics import load_semantics
from zslpipe.evaluation.protocol import Result, evaluate
from zslpipe.heads import HEADS
from zslpipe.selection.rules import UnseenClassValidation

pytestmark = pytest.mark.real


def validated(data_root: Path, semantics: str | None, head: str, **options: str) -> Result:
    benchmark = load_benchmark("cub", data_root)
    if semantics:
        benchmark = load_semantics(benchmark, semantics, data_root)
    file = loadmat(data_root / "xlsa17" / "data" / "CUB" / "resnet1000.mat")
    features = {"global": np.ascontiguousarray(file["features"].T, dtype=np.float32)}
    choice, fitted = UnseenClassValidation(**options).select(HEADS[head](), features, benchmark)  # type: ignore[arg-type]
    return evaluate(fitted, features, benchmark, choice.delta)


@pytest.mark.parametrize(("semantics", "t1", "h"), [(None, 0.60, 0.51), ("sentences", 0.77, 0.63)])
def test_eszsl_on_cub(data_root: Path, semantics: str | None, t1: float, h: float) -> None:
    result = validated(data_root, semantics, "eszsl")
    assert result.T1 is not None
    assert result.H is not None
    assert result.oracle is not None
    assert result.T1 > t1
    assert result.H > h
    assert result.oracle.H - result.H < 0.02  # the calibration was carried over without the test images
    assert result.images == {"seen": 1764, "unseen": 2967}


@pytest.mark.slow
def test_remse_on_cub_is_within_two_points_of_its_oracle(data_root: Path) -> None:
    result = validated(data_root, None, "remse")
    assert result.oracle is not None
    assert result.oracle.H - result.H < 0.02  # type: ignore[operator]
    assert result.H > 0.52  # type: ignore[operator]
