"""What a hyper-parameter may be, said by its type where it is declared, and the sentence for whatever else is given."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from zslpipe.errors import InputError
from zslpipe.registry import unknown


@dataclass(frozen=True)
class Range:
    """From `low` (where `above`, from anything above it) to `high`."""

    low: float
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.high < math.inf:
            return f"between {self.low:g} and {self.high:g}"
        return f"above {self.low:g}" if self.above else f"of at least {self.low:g}"


Count = Annotated[int, Range(1)]
Whole = Annotated[int, Range(0)]  # where 0 means none, or never
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]

KINDS: dict[Any, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a word"),
}


def check_settings(owner: type, settings: Mapping[str, Any]) -> None:
    """Hold values against the annotations of `owner`'s fields: bool, int, float, str, Literal, or one with a `Range`.

    Fields of other types may be anything.

    Raises:
        InputError: for the first that is of another kind, not finite, or outside.
    """
    for name, value in settings.items():
        _check(name, value, _kinds(owner)[name])


@cache
def _kinds(owner: type) -> dict[str, Any]:
    return get_type_hints(owner, include_extras=True)


def _check(name: str, value: Any, kind: Any) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise unknown(f"value of {name}", str(value), get_args(kind))
        return
    kind, *ranges = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if kind not in KINDS:
        return
    accepted, wanted = KINDS[kind]
    is_switch = isinstance(value, bool)  # which Python takes for a number
    sound = isinstance(value, accepted) and is_switch == (kind is bool) and not _endless(value)
    if not sound or any(value not in r for r in ranges):
        raise InputError(f"{name} is {value!r}: give {' '.join([wanted, *map(str, ranges)])}.")


def _endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
