"""The forty creatures: which combinations of attribute values they are, and which of them are unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from zslpipe.demo.attributes import ATTRIBUTES, HABITATS, describe
from zslpipe.demo.names import name_all

CLASSES = 40
EVERY = 4  # each fourth class is unseen
_KEYS = tuple(attribute.name for attribute in ATTRIBUTES)
POOL = 4000  # candidates among which each class is chosen
HEADGEAR = ("ears", "horns", "antennae", "crest")


@dataclass(frozen=True)
class Creature:
    """A class of the demo set: its name, whether it is seen, the value of each attribute, a second habitat."""

    name: str
    seen: bool
    traits: Mapping[str, str]
    visits: str

    @property
    def semantics(self) -> np.ndarray:
        return describe(self.traits, self.visits)


@cache
def creatures() -> tuple[Creature, ...]:
    """The classes, the same for every seed: a name always means the same animal."""
    chosen = _choose(np.random.default_rng(7))
    names = name_all(chosen)
    homes = [traits["habitat"] for traits in chosen]
    # Each home is visited by its neighbours in turn, so that no pair of habitats marks a class.
    turns = [1 + homes[:k].count(home) % (len(HABITATS) - 1) for k, home in enumerate(homes)]
    visits = [HABITATS[(HABITATS.index(h) + turn) % len(HABITATS)] for h, turn in zip(homes, turns, strict=True)]
    return tuple(
        Creature(name, k % EVERY != EVERY - 1, traits, visit)
        for k, (name, traits, visit) in enumerate(zip(names, chosen, visits, strict=True))
    )


def _choose(rng: np.random.Generator) -> list[dict[str, str]]:
    """Greedy choice: always the candidate farthest from the chosen, less what it adds to overfull values."""
    values = [tuple(attribute.shares()) for attribute in ATTRIBUTES]
    shares = [np.array(list(attribute.shares().values())) for attribute in ATTRIBUTES]
    pool = np.stack([rng.choice(len(share), POOL, p=share) for share in shares], axis=1)  # (POOL, attributes)
    pool = pool[[_drawable(dict(zip(_KEYS, _named(row, values), strict=True))) for row in pool]]
    counts = [np.zeros(len(share)) for share in shares]
    taken: list[np.ndarray] = []
    for n in range(CLASSES):
        apart = np.min([(pool != other).sum(1) for other in taken], axis=0) if taken else np.zeros(len(pool))
        excess = sum(
            np.maximum(0, count + 1 - share * (n + 2))[pool[:, a]]
            for a, (count, share) in enumerate(zip(counts, shares, strict=True))
        )
        best = pool[np.argmax(apart - excess)]
        taken.append(best)
        for count, value in zip(counts, best, strict=True):
            count[value] += 1
    return [dict(zip(_KEYS, _named(row, values), strict=True)) for row in taken]


def _named(row: np.ndarray, values: list[tuple[str, ...]]) -> list[str]:
    return [names[value] for names, value in zip(values, row, strict=True)]


def _drawable(traits: Mapping[str, str]) -> bool:
    """Whether everything has room: one or two things on a head, spines not under a shell, a bare back elsewhere."""
    headgear = sum(traits[part] != "none" for part in HEADGEAR)
    on_back = (traits["shell"] != "none") + (traits["wings"] != "none") + (traits["coat"] == "spiny")
    return 1 <= headgear <= 2 and on_back <= 1
