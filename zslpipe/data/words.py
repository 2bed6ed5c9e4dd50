"""The words in the names of classes and attributes."""

import re

NUMBER = re.compile(r"^\d+\s*[.:)_-]\s*")  # 001.Black_footed_Albatross
PARTS = re.compile(r"[^\w'-]+|_+")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
EDGES = "-'"


def plain(name: str) -> str:
    """A name as it would be written in a sentence.

    >>> [plain(name) for name in ("001.Black_footed_Albatross", "grizzly+bear", "man-made", "has_bill_shape::hooked")]
    ['Black footed Albatross', 'grizzly bear', 'man-made', 'has bill shape hooked']
    """
    return " ".join(words_of(name))


def words_of(name: str) -> list[str]:
    """The words of a name: without a leading number; parted at spaces, signs and capitals, but not at hyphens."""
    parts = PARTS.split(CAMEL.sub(" ", NUMBER.sub("", name)))
    return [word for part in parts if (word := part.strip(EDGES))]
