"""Classes that somebody describes in words: by a similar class, by attributes, or by a sentence that names some."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from zslpipe.data.new_classes import NewClasses, on_scale
from zslpipe.data.texts import Encode
from zslpipe.errors import InputError
from zslpipe.registry import unknown
from zslpipe.serving.predictor import ClassList

LARGEST = 1e6  # value of an attribute
PARTS = re.compile(r"([,;.:()]|\b(?:and|with|but)\b)")
NEGATIONS = frozenset({"no", "not", "without", "never"})
FILLERS = re.compile("an?|and|are|colou?r|has|have|in|is|its?|length|of|on|or|pattern|shape|size|the")


@dataclass(frozen=True)
class Description:
    """A class in words.

    Attributes:
        name: of the class.
        like: a known class that it resembles: what is not said otherwise is as in that class; the mean of all known
            classes if it is empty.
        attributes: values of attributes, on the scale of the known semantics.
        sentence: what else there is to say, such as "a red bill, black wings and no stripes". If the semantics of the
            run come from words, only this counts, or the name if it is empty.
    """

    name: str
    like: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    sentence: str = ""


@dataclass(frozen=True, eq=False)
class Understood:
    """What was made of a description.

    Attributes:
        name: of the class.
        semantics: (A,).
        base: what the attributes are taken from that nobody named.
        named: the attributes that were named, with their values before scaling.
    """

    name: str
    semantics: np.ndarray
    base: str
    named: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return {"class": self.name, "base": self.base, "named": dict(self.named)}


def understand(one: Description, classes: ClassList, encode: Encode | None = None) -> Understood:
    """The semantics of a described class.

    Args:
        one: what is said of it.
        classes: the known ones.
        encode: makes semantics of texts; None if those of the run do not come from words.

    Raises:
        InputError: for a known name, an unknown class or attribute, a value that is not a number or of another scale, a
            sentence that names no attribute, or a description that says nothing.
    """
    name = " ".join(one.name.split())
    if not name:
        raise InputError("the new class has no name.")
    if name in classes.names:
        raise InputError(f"there is a class '{name}' already: give the new one another name.")
    if encode is not None:
        return _encoded(name, one, encode)
    if one.like and one.like not in classes.names:
        raise unknown("class", one.like, classes.names)
    if not (one.like or one.attributes or one.sentence.strip()):
        raise InputError(f"'{name}' is not described: name a similar class, attributes, or both.")
    base = classes.semantics[classes.names.index(one.like)] if one.like else classes.semantics.mean(0)
    named = {**from_sentence(one.sentence, classes), **one.attributes} if one.sentence.strip() else {**one.attributes}
    values = np.array(base, np.float32)
    for attribute, value in named.items():
        values[_column(attribute, classes.attribute_names)] = _number(attribute, value)
    (scaled,) = on_scale("the new class", (name,), values[None], classes.semantics)
    return Understood(name, scaled, one.like or "the mean of all classes", named)


def _encoded(name: str, one: Description, encode: Encode) -> Understood:
    if one.like or one.attributes:
        raise InputError("the semantics of this run come from words: describe the class by a sentence only.")
    sentence = " ".join(one.sentence.split())
    (row,) = np.asarray(encode({name: sentence}), np.float32)
    return Understood(name, row, "its sentence" if sentence else "its name", {})


def with_described(classes: ClassList, several: Sequence[Description], encode: Encode | None = None) -> ClassList:
    """The classes with others that are described in words; see `understand`.

    Raises:
        InputError: see `understand`.
    """
    if not several:
        return classes
    made = [understand(one, classes, encode) for one in several]
    names = tuple(one.name for one in made)
    if len(set(names)) < len(names):
        raise InputError("two of the new classes have the same name.")
    return classes.plus(NewClasses(names, np.stack([one.semantics for one in made])))


def from_sentence(sentence: str, classes: ClassList) -> dict[str, float]:
    """The attributes that a sentence names: the highest value among the classes, or the lowest after "no" or "without".

    An attribute is named if all words of its name are in one part of the sentence; parts end at commas, "and", "with"
    and "but". A part that names nothing belongs to the next ("black and white wings"), but a negation ends at a comma.

    Raises:
        InputError: if it names none.
    """
    words_of = _words_of(classes.attribute_names)
    found: dict[str, float] = {}
    said: set[str] = set()
    for part in PARTS.split(sentence.lower()):
        if PARTS.fullmatch(part):
            said = set() if part != "and" and NEGATIONS & said else said
            continue
        said |= set(_words(part))
        column = np.flatnonzero([bool(words) and words <= said for words in words_of])
        extreme = np.min if NEGATIONS & said else np.max
        found |= {classes.attribute_names[a]: float(extreme(classes.semantics[:, a])) for a in column}
        if len(column):
            said = set()
    if not found:
        raise InputError(
            f"the sentence names none of the {len(classes.attribute_names)} attributes, such as "
            f"'{classes.attribute_names[0]}': use their words, or give values of attributes."
        )
    return found


def example_sentence(names: Sequence[str]) -> str:
    """A sentence that names two of the attributes, those with short names if there are any."""
    phrases = [[w for w in re.findall(r"[^\W_]+", _without_brackets(n)) if not FILLERS.fullmatch(w)] for n in names]
    short = [words for words in phrases if 1 <= len(words) <= 2] or [[names[0]]]
    first, last = (" ".join(reversed(words)) for words in (short[0], short[-1]))
    return first if first == last else f"{first}, but no {last}"


def _without_brackets(name: str) -> str:
    return re.sub(r"\(.*?\)", "", name.lower())


@lru_cache(maxsize=8)
def _words_of(names: tuple[str, ...]) -> list[frozenset[str]]:
    """The words that name each attribute."""
    return [frozenset(_words(_without_brackets(name))) for name in names]


def _words(text: str) -> list[str]:
    """Words without plural endings and fillers; all of them if nothing else is left."""
    words = re.findall(r"[^\W_]+", text)
    kept = [word for word in words if not FILLERS.fullmatch(word)] or words
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in kept]


def _column(attribute: str, names: Sequence[str]) -> int:
    if attribute not in names:
        raise unknown("attribute", attribute, names)
    return names.index(attribute)


def _number(attribute: str, value: float) -> float:
    if not abs(value) <= LARGEST:
        raise InputError(f"the value of '{attribute}' must be a number of at most {LARGEST:g}.")
    return value
