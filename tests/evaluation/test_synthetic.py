"""Synthetic against real features: on generators that are perfect, shifted, too narrow, or know no class."""

from dataclasses import dataclass

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.synthetic import EACH, compare_features, first_of_each, likeness, picture_of
from zslpipe.store.rows import Features

RNG = np.random.default_rng(0)
CLASSES, WIDTH = 5, 4
CENTRES = 10 * RNG.normal(size=(CLASSES, WIDTH))
LABELS = np.repeat(np.arange(CLASSES), 200)
REAL = CENTRES[LABELS] + RNG.normal(size=(len(LABELS), WIDTH))


def made(shift: float = 0.0, spread: float = 1.0, centres: np.ndarray = CENTRES) -> np.ndarray:
    direction = np.eye(WIDTH)[0]
    return centres[:, None] + shift * direction + spread * RNG.normal(size=(CLASSES, 200, WIDTH))


def test_a_perfect_generator() -> None:
    found = likeness(REAL, LABELS, made())
    assert found.distance < 0.15
    assert found.spread == pytest.approx(1, abs=0.05)
    assert found.own_mean > 0.99
    assert found.purity > 0.99


def test_distance_and_spread_are_in_units_of_the_real_spread() -> None:
    assert likeness(REAL, LABELS, made(shift=3.0)).distance == pytest.approx(3 / WIDTH**0.5, rel=0.1)
    assert likeness(REAL, LABELS, made(spread=0.25)).spread == pytest.approx(0.25, rel=0.1)


def test_a_generator_that_takes_classes_for_each_other() -> None:
    found = likeness(REAL, LABELS, made(centres=np.roll(CENTRES, 1, 0)))
    assert found.own_mean < 0.01
    assert found.purity < 0.01


def test_the_picture_shows_the_largest_classes_on_the_axes_of_the_real_features() -> None:
    labels = np.repeat(np.arange(8), [3, 9, 3, 9, 9, 9, 9, 9])
    real = np.zeros((60, 3))
    real[:, 2] = labels
    picture = picture_of(real, labels, np.ones((8, 4, 3)) * np.arange(8)[:, None, None], list("abcdefgh"))
    assert picture.names == ("b", "d", "e", "f", "g", "h")
    assert [len(points) for points in picture.real] == [9] * 6
    along = [points[0, 0] for points in picture.real]
    np.testing.assert_allclose(np.abs(np.diff(along)), [2, 1, 1, 1, 1], atol=1e-9)
    assert all(points.shape == (4, 2) for points in picture.synthetic)


def test_first_of_each() -> None:
    labels = np.array([1, 0, 1, 1, 0, 2])
    assert first_of_each(labels, np.array([5, 3, 2, 1, 0]), 2).tolist() == [1, 2, 3, 5]
    assert first_of_each(labels, np.arange(0), 2).tolist() == []


@dataclass
class Copies:
    """Makes the semantics themselves; real features are a little off."""

    asked: list[int]

    def make_features(self, semantics: np.ndarray, each: int) -> np.ndarray:
        self.asked.append(len(semantics))
        return np.repeat(semantics[:, None], each, 1)

    def real_features(self, features: Features) -> np.ndarray:
        rows = np.asarray(features["global"])
        return rows + np.linspace(-0.01, 0.01, len(rows))[:, None]


def test_classes_of_a_benchmark(tiny: tuple[Benchmark, np.ndarray]) -> None:
    benchmark, _ = tiny
    features = {"global": benchmark.semantics[benchmark.labels]}
    head = Copies([])
    found = compare_features(head, features, benchmark)
    assert list(found.sides) == ["seen", "unseen"]
    assert found.sides["unseen"].spread < 1e-4
    assert found.sides["unseen"].own_mean == 1
    assert head.asked == [9, 3]
    assert found.picture is not None
    assert len(found.picture.names) == 3
    assert all(len(points) <= EACH for points in found.picture.real)
