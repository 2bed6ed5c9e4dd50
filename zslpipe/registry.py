"""Names to things, filled by decorators; an unknown name is answered with the nearest known ones."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from zslpipe.errors import RequestError

T = TypeVar("T")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, best first; empty where none comes close."""
    known = list(known)
    containing = [k for k in known if name.lower() in k.lower()]
    close = difflib.get_close_matches(name, known, n=count, cutoff=0.5)
    return list(dict.fromkeys(close + containing))[:count]


def unknown(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """The sentence for a `kind` (head, backbone, ...) that nobody knows by that name."""
    known = list(known)
    near = nearest(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(known)[:20])}."
    return RequestError(f"there is no {kind} named '{name}': {hint}")


class Registry(Generic[T]):
    """A mapping from names to things of one kind.

    >>> heads = Registry("head")
    >>> @heads.register("mean")
    ... class Mean: ...
    >>> heads["mean"] is Mean
    True
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        def add(thing: T) -> T:
            if name in self._things:
                raise ValueError(f"two {self.kind}s are named '{name}'")
            self._things[name] = thing
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            raise unknown(self.kind, name, self._things)
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._things))

    def __len__(self) -> int:
        return len(self._things)
