"""`zslpipe heads`: list the heads, or describe one with its inputs and settings."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from textwrap import dedent
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Attributes, Head
from zslpipe.parts.settings import Range
from zslpipe.parts.torch_head import TorchHead

# Taps of stores for which a head's choice is shown.
STORED = (("global", "region"), ("global",), ("region",), ("global", "region", "trunk"))


@dataclass(frozen=True)
class Setting:
    """A hyper-parameter: its type with its range, its default, its meaning, and the values that selection tries."""

    name: str
    type: str
    default: Any
    meaning: str
    tried: tuple[Any, ...]


@dataclass(frozen=True)
class HeadDescription:
    """A head with its paper, inputs and settings.

    Attributes:
        name: as for `train-head`.
        paper: first paragraph of its module's docstring.
        text: docstring of its class without the settings.
        required_taps, optional_taps: as the class declares them.
        reads: the taps it reads, by the taps of the store ("global, region"); None if it cannot use such a store.
        word_vectors: whether it needs word vectors of the attributes: "required", "optional" or "not used".
        candidates: number of settings that selection tries.
        chooses_epochs: whether selection also chooses the number of epochs.
        settings: its hyper-parameters, its own first.
    """

    name: str
    paper: str
    text: str
    required_taps: tuple[str, ...]
    optional_taps: tuple[str, ...]
    reads: dict[str, tuple[str, ...] | None]
    word_vectors: Literal["required", "optional", "not used"]
    candidates: int
    chooses_epochs: bool
    settings: tuple[Setting, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def list_heads() -> dict[str, str]:
    """One line about each head, by name; for a head that cannot be imported, the reason."""
    lines = {}
    for name in HEADS:
        try:
            head = HEADS[name]
            lines[name] = " ".join((_paper(head) or _docstring(head)).split("\n\n")[0].split())
        except InputError as problem:
            lines[name] = f"not available: {problem}"
    return lines


def describe_head(name: str) -> HeadDescription:
    """Describe one head.

    Raises:
        InputError: for an unknown name.
    """
    head = HEADS[name]
    words = np.zeros((1, 1), np.float32)
    with_words = {", ".join(taps): _taps_read(head, taps, words) for taps in STORED}
    without = {", ".join(taps): _taps_read(head, taps, None) for taps in STORED}
    needs: Literal["required", "optional", "not used"] = "required" if not any(without.values()) else "optional"
    return HeadDescription(
        name=name,
        paper=_paper(head),
        text=_docstring(head).split("\nArgs:\n")[0].strip(),
        required_taps=tuple(head.taps),
        optional_taps=tuple(head.optional_taps),
        reads=with_words,
        word_vectors="not used" if with_words == without else needs,
        candidates=len(head.search_space()),
        chooses_epochs=issubclass(head, TorchHead),
        settings=tuple(_settings(head)),
    )


def _settings(head: type[Head]) -> Iterator[Setting]:
    kinds = get_type_hints(head, include_extras=True)
    meanings: dict[str, str] = {}
    own: dict[str, None] = {}  # an ordered set: the class's own settings before those it inherits
    for cls in inspect.getmro(head):
        meanings = {**_comments(cls), **_arguments(inspect.cleandoc(cls.__dict__.get("__doc__") or "")), **meanings}
        own |= dict.fromkeys(inspect.get_annotations(cls))
    defaults = {f.name: getattr(head(), f.name) for f in fields(head)}  # type: ignore[arg-type]
    for name in [n for n in own if n in defaults]:
        tried = [candidate[name] for candidate in head.search_space() if name in candidate]
        once = tuple(dict.fromkeys(tried))
        yield Setting(name, type_text(kinds[name]), defaults[name], meanings.get(name, ""), once)


def type_text(kind: Any) -> str:
    """A setting's annotation in readable form: `int >= 1`, `float in [0, 1]`, `adam | sgd`.

    >>> type_text(Annotated[float, Range(0, above=True)]), type_text(Literal["a", "b"])
    ('float > 0', 'a | b')
    """
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if get_origin(kind) is not Annotated:
        return getattr(kind, "__name__", str(kind))
    kind, *notes = get_args(kind)
    return " ".join([type_text(kind), *(_range_text(note) for note in notes if isinstance(note, Range))])


def _range_text(range_: Range) -> str:
    low, high = f"{range_.low:g}", f"{range_.high:g}"
    if high == "inf":
        return f"{'>' if range_.above else '>='} {low}"
    return f"in {'(' if range_.above else '['}{low}, {high}]"


def _arguments(docstring: str) -> dict[str, str]:
    """The meanings in the Args section of a docstring by name; a line may describe several names."""
    _, _, section = docstring.partition("Args:\n")
    section = re.split(r"\n(?=\S)", section)[0]  # up to the next line that is not indented
    found: dict[str, str] = {}
    for names, text in re.findall(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def _comments(cls: type) -> dict[str, str]:
    """The trailing comments of a class's fields, by name; empty if its source is not available."""
    try:
        source = dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    return dict(re.findall(r"^    (\w+): .*  # (.+)$", source, re.MULTILINE))


def _taps_read(head: type[Head], stored: tuple[str, ...], words: np.ndarray | None) -> tuple[str, ...] | None:
    try:
        return head().choose_taps(stored, Attributes(("attribute",), words))
    except InputError:
        return None


def _paper(head: type[Head]) -> str:
    return (inspect.cleandoc(inspect.getmodule(head).__doc__ or "")).split("\n\n")[0]


def _docstring(head: type[Head]) -> str:
    """The class's own docstring, not one generated by `dataclass`."""
    own = inspect.cleandoc(head.__dict__.get("__doc__") or "")
    return "" if own.startswith(f"{head.__name__}(") else own
