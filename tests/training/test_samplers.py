"""Who is drawn, how often, and that an epoch can be drawn again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.training import ClassBalanced, Episodes, Shuffled

LABELS = np.repeat(np.arange(7), [1, 2, 3, 4, 10, 20, 30])[np.random.default_rng(0).permutation(70)]


@pytest.mark.parametrize(
    "sampler",
    [
        Shuffled(70, 16, 3),
        Episodes(LABELS, 4, 2, 3),
        Episodes(LABELS, 4, 2, 3, episodes=5),
        ClassBalanced(LABELS, 16, 3),
    ],
    ids=lambda s: type(s).__name__,
)
def test_an_epoch_follows_from_seed_and_number(sampler: Shuffled | Episodes | ClassBalanced) -> None:
    first, again, other = (list(sampler.epoch(n)) for n in (0, 0, 1))
    assert len(first) == len(sampler)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


def test_seeds_differ() -> None:
    assert not np.array_equal(next(iter(Shuffled(70, 16, 0).epoch(0))), next(iter(Shuffled(70, 16, 1).epoch(0))))


@given(st.integers(1, 50), st.integers(1, 20))
def test_shuffling_visits_every_sample_once(count: int, batch: int) -> None:
    batches = list(Shuffled(count, batch, 0).epoch(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert max(map(len, batches)) <= batch
    assert len(batches) == -(-count // batch)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
def test_episodes_have_ways_and_shots(ways: int, shots: int, epoch: int) -> None:
    present = dict(zip(*np.unique(LABELS, return_counts=True)))
    for episode in Episodes(LABELS, ways, shots, 0, episodes=6).epoch(epoch):
        assert len(np.unique(episode)) == len(episode), "an image is drawn once"
        classes, drawn = np.unique(LABELS[episode], return_counts=True)
        assert len(classes) == min(ways, 7)
        assert drawn.tolist() == [min(shots, present[c]) for c in classes]


def test_an_epoch_of_episodes_draws_as_many_as_there_are() -> None:
    assert len(Episodes(LABELS, 4, 2, 0)) == 9  # ceil(70 / 8)
    assert len(Episodes(LABELS, 16, 2, 0)) == 5  # only 7 classes: ceil(70 / 14)
    assert len(Episodes(LABELS, 16, 2, 0, episodes=300)) == 300


def test_every_class_and_image_gets_its_turn() -> None:
    drawn = np.concatenate(list(Episodes(LABELS, 3, 2, 0, episodes=400).epoch(0)))
    assert len(np.unique(drawn)) == 70
    per_class = np.bincount(LABELS[drawn])[3:]  # classes of at least four images
    assert per_class.max() / per_class.min() < 1.3


def test_balanced_batches_even_out_the_classes() -> None:
    drawn = np.concatenate([b for e in range(40) for b in ClassBalanced(LABELS, 64, 0).epoch(e)])
    per_class = np.bincount(LABELS[drawn])
    assert per_class.max() / per_class.min() < 1.25
    assert np.array_equal(np.unique(drawn), np.arange(70))
