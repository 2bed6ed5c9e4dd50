"""Names to things, filled by decorators and by the entry points of other packages."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from zslpipe.errors import InputError, UnknownNameError

T = TypeVar("T")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, best first; empty if none comes close."""
    known = list(known)
    containing = [k for k in known if name.lower() in k.lower()]
    close = difflib.get_close_matches(name, known, n=count, cutoff=0.5)
    return list(dict.fromkeys(close + containing))[:count]


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a `kind` (head, backbone, ...) that is not known by that name."""
    known = list(known)
    near = nearest(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"available: {', '.join(sorted(known)[:20])}."
    return UnknownNameError(f"unknown {kind} '{name}': {hint}")


class Registry(Generic[T]):
    """A mapping from names to things of one kind.

    Args:
        kind: what a thing is called in messages.
        group: entry-point group by which installed packages add things; they are loaded when first needed.

    >>> heads = Registry("head")
    >>> @heads.register("mean")
    ... class Mean: ...
    >>> heads["mean"] is Mean
    True
    """

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind, self.group = kind, group
        self._things: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        def add(thing: T) -> T:
            known = self._things.get(name)
            if known is not None and not _same(known, thing):
                raise InputError(f"the {self.kind} '{name}' is already registered by {_origin(known)}.")
            self._things[name] = thing
            return thing

        return add

    def _load_entry_points(self) -> None:
        if self._loaded or self.group is None:
            return
        self._loaded = True
        for entry in entry_points(group=self.group):
            try:
                thing = entry.load()
            except Exception as problem:
                raise InputError(
                    f"the {self.kind} '{entry.name}' of the package {entry.dist.name if entry.dist else entry.value} "
                    f"cannot be imported ({type(problem).__name__}: {problem}): update or uninstall that package."
                ) from problem
            self.register(entry.name)(thing)

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            self._load_entry_points()
        if name not in self._things:
            raise unknown(self.kind, name, self._things)
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        self._load_entry_points()
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        self._load_entry_points()
        return iter(sorted(self._things))

    def __len__(self) -> int:
        self._load_entry_points()
        return len(self._things)


def _origin(thing: object) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', thing)}"


def _same(one: object, other: object) -> bool:
    """Whether both are the same thing; a file that was imported twice defines it twice."""
    return one is other or (_origin(one) == _origin(other) and hasattr(one, "__qualname__"))
