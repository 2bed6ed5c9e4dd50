"""The visual attributes of the demo creatures, and their columns in the semantics."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Attribute:
    """One attribute with one column of the semantics per value.

    Args:
        name: name of the attribute.
        values: values with a column each.
        absent: the value for which all these columns are zero; None if every class has one of `values`.
        present: share of the classes that have one of `values`.
    """

    name: str
    values: tuple[str, ...]
    absent: str | None = None
    present: float = 1.0

    def shares(self) -> dict[str, float]:
        """The target share of the classes for each value; sums to one."""
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

HOME_SHARE = 0.6  # share of a class's pictures in its own habitat; the others are in the second habitat


def describe(traits: Mapping[str, str], visits: str) -> np.ndarray:
    """(A,) float32 in [0, 1]: the share of the pictures in which each value occurs.

    Args:
        traits: value of every attribute, by attribute name.
        visits: the second habitat.
    """
    row = np.array([traits[attribute.name] == value for attribute, value in COLUMNS], np.float32)
    row[ATTRIBUTE_NAMES.index(f"habitat: {traits['habitat']}")] = HOME_SHARE
    row[ATTRIBUTE_NAMES.index(f"habitat: {visits}")] = 1 - HOME_SHARE
    return row


def attribute_vectors() -> np.ndarray:
    """(A, W) float32 unit vectors used as word vectors of the columns.

    Two values of the same attribute have cosine 1/2, values of different attributes cosine 0: half of each vector
    encodes the attribute, the other half the value.
    """
    which = np.array([[attribute is other for other in ATTRIBUTES] for attribute, _ in COLUMNS])
    return (np.hstack([which, np.eye(len(COLUMNS))]) / np.sqrt(2)).astype(np.float32)
