"""Allowed values of hyper-parameters, declared by their types, and the errors for other values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from zslpipe.errors import InputError
from zslpipe.json_types import shown
from zslpipe.registry import unknown


@dataclass(frozen=True)
class Range:
    """From `low` to `high`; excluding `low` if `above`."""

    low: float
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.high < math.inf:
            return f"between {self.low:g} and {self.high:g}"
        return f"{'>' if self.above else '>='} {self.low:g}"


Count = Annotated[int, Range(1)]
Whole = Annotated[int, Range(0)]  # 0 means none, or never
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]

KINDS: dict[Any, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (Integral, "an integer"),
    float: (Real, "a number"),
    str: (str, "a string"),
}


def check_settings(owner: type, settings: Mapping[str, Any]) -> None:
    """Check values against the annotations of `owner`'s fields: bool, int, float, str, Literal, or with a `Range`.

    Fields of other types are not checked.

    Raises:
        InputError: for the first value of the wrong type, not finite, or out of range.
    """
    for name, value in settings.items():
        _check(name, value, _kinds(owner)[name])


@cache
def _kinds(owner: type) -> dict[str, Any]:
    return get_type_hints(owner, include_extras=True)


def _check(name: str, value: Any, kind: Any) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise unknown(f"value of {name}", value if isinstance(value, str) else shown(value), get_args(kind))
        return
    kind, *ranges = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if kind not in KINDS:
        return
    accepted, wanted = KINDS[kind]
    is_switch = isinstance(value, bool)  # a number too, in Python
    valid = isinstance(value, accepted) and is_switch == (kind is bool) and not _infinite(value)
    if not valid or any(value not in r for r in ranges):
        raise InputError(f"{name} must be {' '.join([wanted, *map(str, ranges)])}, not {shown(value)}.")


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
