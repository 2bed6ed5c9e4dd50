"""Names to things: filled by decorators, by plugins and by the entry points of installed packages."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, Generic, TypeVar

from zslpipe.errors import InputError, UnknownNameError

T = TypeVar("T")

LISTED = 20  # names in the message for an unknown one


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most similar to `name`, best first; empty if none is."""
    known = list(known)
    containing = [k for k in known if name.lower() in k.lower()]
    close = difflib.get_close_matches(name, known, n=count, cutoff=0.5)
    return list(dict.fromkeys(close + containing))[:count]


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that no thing of this kind (head, backbone, ...) has; suggests similar names."""
    known = list(known)
    near = nearest(name, known)
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    hint = f"did you mean {' or '.join(near)}?" if near else f"available: {', '.join(sorted(known)[:LISTED])}{more}."
    return UnknownNameError(f"unknown {kind} '{name}': {hint}")


class Registry(Generic[T]):
    """A mapping from names to things of one kind, in alphabetical order.

    Args:
        kind: what a thing is called in messages.
        group: entry-point group of installed packages that add things. An entry has the name of the thing; its object
            is imported when the thing is first used, and registers it, by the same decorator as everywhere.

    >>> heads = Registry("head")
    >>> @heads.register("mean")
    ... class Mean: ...
    >>> heads["mean"] is Mean
    True
    """

    registrations: ClassVar[int] = 0  # in all registries

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind, self.group = kind, group
        self._things: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that adds a class or function under `name`.

        Raises:
            InputError: if another thing has that name.
        """

        def add(thing: T) -> T:
            known = self._things.get(name)
            if known is not None and not _same(known, thing):
                raise InputError(f"the {self.kind} '{name}' is already registered by {_origin(known)}.")
            self._things[name] = thing
            Registry.registrations += 1
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._things and name in self._entries:
            self._load(self._entries[name])
        if name not in self._things:
            raise unknown(self.kind, name, self)
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        return name in self._things or name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._things, *self._entries}))

    def __len__(self) -> int:
        return len({*self._things, *self._entries})

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.group)} if self.group else {}

    def _load(self, entry: EntryPoint) -> None:
        package = entry.dist.name if entry.dist else entry.value
        remedy = "update or uninstall that package."
        try:
            entry.load()
        except Exception as problem:
            what = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
            raise InputError(
                f"the {self.kind} '{entry.name}' of the package {package} cannot be imported ({what}): {remedy}"
            ) from problem
        if entry.name not in self._things:
            raise InputError(
                f"the package {package} lists the {self.kind} '{entry.name}', but {entry.value} does not register it: "
                f"{remedy}"
            )


def _origin(thing: object) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', thing)}"


def _same(one: object, other: object) -> bool:
    """Whether both are one thing; a file that is imported twice defines its things twice."""
    return one is other or (_origin(one) == _origin(other) and hasattr(one, "__qualname__"))
