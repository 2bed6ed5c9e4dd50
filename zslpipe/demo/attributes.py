"""The visual attributes of the demo creatures, and the columns they become in the semantics."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Attribute:
    """One named attribute: its values, each a column, and what a creature is called that has none of them.

    Args:
        name: of the attribute.
        values: that have a column of the semantics each.
        absent: the value that leaves all these columns zero; None where one value must hold.
        present: share of the classes that have one of `values`.
    """

    name: str
    values: tuple[str, ...]
    absent: str | None = None
    present: float = 1.0

    def shares(self) -> dict[str, float]:
        """How often each value should occur among the classes; sums to one."""
        shares = {value: self.present / len(self.values) for value in self.values}
        return shares if self.absent is None else {**shares, self.absent: 1 - self.present}

    def column(self, value: str) -> str:
        return f"{self.name}: {value}"


HABITATS = ("meadow", "desert", "snow", "night", "sea bed", "autumn")

ATTRIBUTES = (
    Attribute("body", ("round", "tall", "long", "boxy")),
    Attribute("colour", ("red", "yellow", "green", "blue", "purple", "white")),
    Attribute("pattern", ("spots", "stripes"), "plain", 0.66),
    Attribute("coat", ("shaggy", "spiny"), "smooth", 0.6),
    Attribute("belly", ("pale",), "as the back", 0.4),
    Attribute("legs", ("two", "four", "six"), "none", 0.75),
    Attribute("ears", ("pointed", "round", "long"), "none", 0.66),
    Attribute("horns", ("one", "two"), "none", 0.5),
    Attribute("antennae", ("glowing",), "none", 0.3),
    Attribute("crest", ("tufted",), "none", 0.3),
    Attribute("eyes", ("one", "three"), "two", 0.55),
    Attribute("mouth", ("beak", "fangs"), "smile", 0.6),
    Attribute("whiskers", ("long",), "none", 0.35),
    Attribute("tail", ("bushy", "thin"), "none", 0.6),
    Attribute("wings", ("feathered",), "none", 0.4),
    Attribute("shell", ("hard",), "none", 0.35),
    Attribute("habitat", HABITATS),
)

COLUMNS = tuple((attribute, value) for attribute in ATTRIBUTES for value in attribute.values)
ATTRIBUTE_NAMES = tuple(attribute.column(value) for attribute, value in COLUMNS)

HOME = 0.6  # share of a class's pictures taken in its habitat; the rest show it in the one it visits


def describe(traits: Mapping[str, str], visits: str) -> np.ndarray:
    """(A,) float32 in [0, 1]: 1 where a value holds of every picture, a share where it holds of some.

    Args:
        traits: attribute name to value, for every attribute.
        visits: the second habitat.
    """
    row = np.array([traits[attribute.name] == value for attribute, value in COLUMNS], np.float32)
    row[ATTRIBUTE_NAMES.index(f"habitat: {traits['habitat']}")] = HOME
    row[ATTRIBUTE_NAMES.index(f"habitat: {visits}")] = 1 - HOME
    return row


def attribute_vectors() -> np.ndarray:
    """(A, W) float32 unit vectors that stand in for word vectors of the columns.

    They know what the names alone tell: two values of one attribute are akin (cosine 1/2), all else is not
    (cosine 0). Half of a vector says which attribute it is, half which value.
    """
    which = np.array([[attribute is other for other in ATTRIBUTES] for attribute, _ in COLUMNS])
    return (np.hstack([which, np.eye(len(COLUMNS))]) / np.sqrt(2)).astype(np.float32)
