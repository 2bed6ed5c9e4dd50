"""The forty classes are distinct and far apart, and every value of an unseen class occurs in seen classes."""

from collections import Counter
from itertools import combinations

import numpy as np

from zslpipe.demo.attributes import ATTRIBUTES, HOME_SHARE
from zslpipe.demo.classes import HEADGEAR, creatures

SEEN = [creature for creature in creatures() if creature.seen]
UNSEEN = [creature for creature in creatures() if not creature.seen]


def test_counts() -> None:
    assert (len(SEEN), len(UNSEEN)) == (30, 10)


def test_names_are_distinct_and_valid_folder_names() -> None:
    names = [creature.name for creature in creatures()]
    assert len({name.lower() for name in names}) == 40
    assert all(name.replace(" ", "").isalpha() and name.count(" ") == 1 for name in names)


def test_names_never_change() -> None:
    """A name means the same creature in every version of numpy; fails if numpy changes its random choice."""
    assert [creature.name for creature in creatures()[:4]] == [
        "Kelplop Snorf", "Moonback Slink", "Dunewing Wigget", "Acornhorn Grum"
    ]  # fmt: skip


def test_classes_differ_in_six_attributes_or_more() -> None:
    for one, other in combinations(creatures(), 2):
        assert sum(one.traits[a.name] != other.traits[a.name] for a in ATTRIBUTES) >= 6, (one.name, other.name)


def test_semantics_are_distinct_and_between_zero_and_one() -> None:
    rows = np.stack([creature.semantics for creature in creatures()])
    assert rows.dtype == np.float32
    assert rows.min() >= 0
    assert rows.max() <= 1
    assert len(np.unique(rows, axis=0)) == 40


def test_every_value_of_an_unseen_class_occurs_in_seen_classes() -> None:
    for attribute in ATTRIBUTES:
        counts = Counter(creature.traits[attribute.name] for creature in SEEN)
        assert all(counts[creature.traits[attribute.name]] >= 3 for creature in UNSEEN), attribute.name


def test_the_second_habitat_differs() -> None:
    assert HOME_SHARE > 0.5
    assert all(creature.visits != creature.traits["habitat"] for creature in creatures())


def test_heads_have_one_or_two_parts_on_top() -> None:
    assert all(1 <= sum(c.traits[part] != "none" for part in HEADGEAR) <= 2 for c in creatures())
