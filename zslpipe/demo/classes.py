"""The forty classes: their combinations of attribute values, and which are unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from zslpipe.demo.attributes import ATTRIBUTES, HABITATS, describe
from zslpipe.demo.names import name_creatures

CLASSES = 40
UNSEEN_EVERY = 4  # every fourth class is unseen
_KEYS = tuple(attribute.name for attribute in ATTRIBUTES)
POOL_SIZE = 4000  # random candidates from which the classes are chosen
HEADGEAR = ("ears", "horns", "antennae", "crest")


@dataclass(frozen=True)
class Creature:
    """A class of the demo set: name, seen or unseen, value of each attribute, second habitat."""

    name: str
    seen: bool
    traits: Mapping[str, str]
    visits: str

    @property
    def semantics(self) -> np.ndarray:
        return describe(self.traits, self.visits)


@cache
def creatures() -> tuple[Creature, ...]:
    """The classes. They do not depend on a seed, so that a name always means the same creature."""
    chosen = _choose(np.random.default_rng(7))
    names = name_creatures(chosen)
    homes = [traits["habitat"] for traits in chosen]
    # Second habitats rotate, so that a pair of habitats does not identify a class.
    turns = [1 + homes[:k].count(home) % (len(HABITATS) - 1) for k, home in enumerate(homes)]
    visits = [HABITATS[(HABITATS.index(h) + turn) % len(HABITATS)] for h, turn in zip(homes, turns, strict=True)]
    return tuple(
        Creature(name, k % UNSEEN_EVERY != UNSEEN_EVERY - 1, traits, visit)
        for k, (name, traits, visit) in enumerate(zip(names, chosen, visits, strict=True))
    )


def _choose(rng: np.random.Generator) -> list[dict[str, str]]:
    """Choose greedily: the candidate farthest from those chosen, minus a penalty for values that are too frequent."""
    values = [tuple(attribute.shares()) for attribute in ATTRIBUTES]
    shares = [np.array(list(attribute.shares().values())) for attribute in ATTRIBUTES]
    pool = np.stack([rng.choice(len(share), POOL_SIZE, p=share) for share in shares], axis=1)  # (POOL_SIZE, attributes)
    pool = pool[[_drawable(dict(zip(_KEYS, _value_names(row, values), strict=True))) for row in pool]]
    counts = [np.zeros(len(share)) for share in shares]
    chosen: list[np.ndarray] = []
    for n in range(CLASSES):
        distance = np.min([(pool != other).sum(1) for other in chosen], axis=0) if chosen else np.zeros(len(pool))
        excess = sum(
            np.maximum(0, count + 1 - share * (n + 2))[pool[:, a]]
            for a, (count, share) in enumerate(zip(counts, shares, strict=True))
        )
        best = pool[np.argmax(distance - excess)]
        chosen.append(best)
        for count, value in zip(counts, best, strict=True):
            count[value] += 1
    return [dict(zip(_KEYS, _value_names(row, values), strict=True)) for row in chosen]


def _value_names(row: np.ndarray, values: list[tuple[str, ...]]) -> list[str]:
    return [names[value] for names, value in zip(values, row, strict=True)]


def _drawable(traits: Mapping[str, str]) -> bool:
    """Whether all parts fit: one or two things on the head, at most one of shell, wings and spines on the back."""
    headgear = sum(traits[part] != "none" for part in HEADGEAR)
    on_back = (traits["shell"] != "none") + (traits["wings"] != "none") + (traits["coat"] == "spiny")
    return 1 <= headgear <= 2 and on_back <= 1
