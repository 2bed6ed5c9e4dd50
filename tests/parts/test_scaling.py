"""Rows of features and semantics, scaled with statistics of the training rows."""

from typing import get_args

import numpy as np
import pytest

from zslpipe.parts.scaling import Scaling, fit_scaling, scale


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(3, [1, 5, 0.1], size=(400, 3)).astype(np.float32)


@pytest.mark.parametrize("how", get_args(Scaling))
def test_what_the_names_promise(rows: np.ndarray, how: Scaling) -> None:
    scaled = scale(rows, how, *fit_scaling(rows, how))
    assert scaled.dtype == np.float32
    if how == "raw":
        np.testing.assert_array_equal(scaled, rows)
    if how.endswith("unit"):
        np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, rtol=1e-5)
    if how in ("standard", "centred"):
        np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    if how == "standard":
        np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-4)


def test_other_rows_are_scaled_by_those_of_training(rows: np.ndarray) -> None:
    centre, divisor = fit_scaling(rows, "standard")
    np.testing.assert_allclose(scale(rows[:1] + 1, "standard", centre, divisor), (rows[:1] + 1 - centre) / divisor)


def test_a_constant_column_is_not_blown_up(rows: np.ndarray) -> None:
    rows[:, 1] = 0.1  # its mean is not exact in single precision
    assert np.abs(scale(rows, "standard", *fit_scaling(rows, "standard"))[:, 1]).max() < 1e-6


def test_a_row_of_zeros_has_no_length_to_divide_by() -> None:
    zeros = np.zeros((2, 3), np.float32)
    assert np.array_equal(scale(zeros, "unit", *fit_scaling(zeros, "unit")), zeros)
