"""The forty creatures: which combinations of attribute values they are, and what they are called."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from zslpipe.data.demo.attributes import ATTRIBUTES, HABITATS, describe

CLASSES = 40
EVERY = 4  # each fourth class is unseen
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
    names = _names(chosen)
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


_KEYS = tuple(attribute.name for attribute in ATTRIBUTES)


def _named(row: np.ndarray, values: list[tuple[str, ...]]) -> list[str]:
    return [names[value] for names, value in zip(values, row, strict=True)]


def _drawable(traits: Mapping[str, str]) -> bool:
    """Whether everything has room: one or two things on a head, spines not under a shell, a bare back elsewhere."""
    headgear = sum(traits[part] != "none" for part in HEADGEAR)
    on_back = (traits["shell"] != "none") + (traits["wings"] != "none") + (traits["coat"] == "spiny")
    return 1 <= headgear <= 2 and on_back <= 1


_PLACE = {
    "meadow": ("Clover", "Daisy", "Bramble", "Thistle", "Fern", "Meadow", "Willow", "Hay"),
    "desert": ("Dune", "Ember", "Sand", "Cactus", "Copper", "Dust", "Sun", "Mesa"),
    "snow": ("Frost", "Rime", "Icicle", "Snow", "Drift", "Glacier", "Flurry", "Pine"),
    "night": ("Moon", "Dusk", "Star", "Shadow", "Comet", "Night", "Velvet", "Gloam"),
    "sea bed": ("Kelp", "Coral", "Tide", "Pearl", "Foam", "Lagoon", "Reef", "Salt"),
    "autumn": ("Acorn", "Maple", "Russet", "Amber", "Chestnut", "Leaf", "Harvest", "Oak"),
}
_FEATURE = (  # the first that holds and is not used up gives the second half of a first name
    ("shell", "hard", "back"),
    ("wings", "feathered", "wing"),
    ("coat", "spiny", "spine"),
    ("antennae", "glowing", "glow"),
    ("crest", "tufted", "crest"),
    ("tail", "bushy", "brush"),
    ("horns", "one", "spire"),
    ("horns", "two", "horn"),
    ("ears", "long", "lop"),
    ("whiskers", "long", "whisker"),
    ("pattern", "stripes", "band"),
    ("pattern", "spots", "dapple"),
    ("mouth", "fangs", "fang"),
    ("coat", "shaggy", "mop"),
    ("ears", "pointed", "ear"),
    ("ears", "round", "ear"),
)
_KIND = {
    "round": ("Snorf", "Blub", "Pumple", "Boffin", "Globbet", "Wob", "Mumble", "Puff", "Dollop", "Bumbo", "Oomp", "Plum"),
    "tall": ("Wigget", "Lank", "Quill", "Totter", "Stilt", "Gawk", "Yonder", "Pindle", "Loom", "Spriggle", "Hob", "Tamp"),
    "long": ("Slink", "Noodle", "Trundle", "Wurm", "Ferrel", "Loll", "Snoot", "Dachet", "Sausel", "Lurch", "Ripple", "Ooze"),
    "boxy": ("Grum", "Tock", "Brock", "Clunk", "Blocket", "Cobb", "Hump", "Stodge", "Crate", "Thud", "Knack", "Dob"),
}


def _names(chosen: list[dict[str, str]]) -> list[str]:
    """'<place><feature> <kind>', such as Kelpback Snorf: place and feature are true of the creature."""
    names: list[str] = []
    uses: Counter[str] = Counter()
    for traits in chosen:
        fits = [half for part, value, half in _FEATURE if traits[part] == value]
        half = min(fits, key=lambda half: uses[half])
        place = _PLACE[traits["habitat"]][uses[traits["habitat"]] % len(_PLACE[traits["habitat"]])]
        kind = _KIND[traits["body"]][uses[traits["body"]]]
        uses.update((half, traits["habitat"], traits["body"]))
        names.append(f"{place}{half} {kind}")
    return names
