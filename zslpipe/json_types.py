"""Whether a JSON value, which may come from anyone, has the type that the code expects."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WORDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}

_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother = 2, 60, 60


def mismatch(value: Any, kind: Any, at: str) -> str | None:
    """What is wrong with a value, as a phrase that begins with its name `at`; None if it has the type `kind`.

    Args:
        value: as `json.loads` returns it.
        kind: bool, int, float (any number), str, Path (for text), None, list[X], Sequence[X], dict[str, X],
            tuple[X, ...] (for a list), a Literal, a union of these, or a dataclass, which stands for an object with its
            fields, of which those with defaults may be missing. Any other type fits every value.
        at: the name of the value.
    """
    if kind is Any:
        return None
    if kind in (bool, int, float, str, Path):
        kind = str if kind is Path else kind
        accepted = (int, float) if kind is float else kind
        fits = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
        return None if fits else _not(value, kind, at)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        wrong = [mismatch(value, part, at) for part in parts]
        named = [w for w, part in zip(wrong, parts) if part is not NoneType]
        return None if None in wrong else named[0]
    if origin is Literal:
        return None if value in parts else f"{at} must be one of {', '.join(map(str, parts))}, not {shown(value)}"
    if is_dataclass(kind):
        return _object(value, kind, at)
    if origin is dict or kind is dict:
        inner = parts[1] if parts else Any
        if not isinstance(value, dict):
            return _not(value, dict, at)
        return next((w for k, v in value.items() if (w := mismatch(v, inner, f"{at}.{k}"))), None)
    if origin in (list, tuple, Sequence) or kind in (list, tuple):
        inner = parts[0] if parts else Any
        if not isinstance(value, list):
            return _not(value, list, at)
        return next((w for i, v in enumerate(value) if (w := mismatch(v, inner, f"{at}[{i}]"))), None)
    if kind in (None, NoneType):
        return None if value is None else f"{at} must be null, not {shown(value)}"
    return None


def missing_or_mismatched(value: Any, required: Mapping[str, Any], optional: Mapping[str, Any]) -> str | None:
    """What is wrong with an object, as a phrase; keys of neither kind are ignored."""
    if not isinstance(value, dict):
        return _not(value, dict, "it")
    for key in required:
        if key not in value:
            return f"it has no '{key}'"
    kinds = {**required, **optional}
    return next((w for k, v in value.items() if k in kinds and (w := mismatch(v, kinds[k], k))), None)


def shown(value: Any) -> str:
    """A value for a message; a long or nested one in part, since writing it out can take forever."""
    if isinstance(value, int) and value.bit_length() > 64:
        return "an enormous number"
    return _short.repr(value)


def _object(value: Any, kind: Any, at: str) -> str | None:
    if not isinstance(value, dict):
        return _not(value, dict, at)
    kinds = get_type_hints(kind)
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    if lacking := [key for key in needed if key not in value]:
        return f"{at} has no '{lacking[0]}'"
    if unknown := [key for key in value if key not in kinds]:
        return f"{at} has an unknown key {shown(unknown[0])}"
    return next((w for k, v in value.items() if (w := mismatch(v, kinds[k], f"{at}.{k}"))), None)


def _not(value: Any, kind: type, at: str) -> str:
    return f"{at} must be {WORDS[kind]}, not {shown(value)}"
