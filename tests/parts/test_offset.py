"""The offset and temperature of largest likelihood."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from zslpipe.parts.offset import HeldOut, fit_offset


def trial(seed: int, offset: float, temperature: float, images: int = 4000, classes: int = 8) -> HeldOut:
    """Labels drawn from softmax((scores + offset [unseen]) / temperature)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(images, classes)) * 3 * temperature
    unseen = np.arange(classes) >= 5
    logits = (scores + offset * unseen) / temperature
    noise = rng.gumbel(size=logits.shape)
    return HeldOut(scores, (logits + noise).argmax(1), unseen)


def loss(point: np.ndarray, trials: list[HeldOut]) -> float:
    """The balanced negative log-likelihood, image by image."""
    total = 0.0
    for scores, labels, unseen in trials:
        logits = point[0] * scores + point[1] * unseen
        each = logsumexp(logits, 1) - logits[np.arange(len(labels)), labels]
        for side in (unseen, ~unseen):
            classes = [c for c in np.flatnonzero(side) if (labels == c).any()]
            total += 0.5 * float(np.mean([each[labels == c].mean() for c in classes])) / len(trials)
    return total


def test_it_is_the_minimum_that_a_general_optimiser_finds() -> None:
    trials = [trial(0, 4.0, 5.0, 300), trial(1, 3.0, 4.0, 200)]
    offset, temperature = fit_offset(trials)
    found = minimize(loss, [0.1, 0.0], (trials,), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12})
    assert loss(np.array([1 / temperature, offset / temperature]), trials) < found.fun + 1e-5
    assert offset == pytest.approx(found.x[1] / found.x[0], abs=0.03)
    assert temperature == pytest.approx(1 / found.x[0], rel=0.01)


def test_it_finds_the_temperature_that_labels_were_drawn_with() -> None:
    for temperature in (0.01, 1.0, 300.0):
        assert fit_offset([trial(0, 0.0, temperature)])[1] == pytest.approx(temperature, rel=0.1)


def test_perfect_scores_end_without_overflow() -> None:
    labels = np.arange(8).repeat(5)
    offset, temperature = fit_offset([HeldOut(100 * np.eye(8)[labels], labels, np.arange(8) >= 5)])
    assert np.isfinite([offset, temperature]).all()
    assert temperature > 0
