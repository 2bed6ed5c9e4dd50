"""A JSON value of anyone either has the expected type or is described in a short phrase."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from zslpipe.json_types import mismatch


@dataclass
class Point:
    x: float
    y: float = 0.0


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, float),
        (None, int | None),
        ("a/b", Path),
        (["a", "b"], Sequence[Path]),
        ([1, 2], tuple[int, ...]),
        ({"a": [1]}, dict[str, list[int]]),
        ({"x": 1}, Point),
        ("a", Literal["a", "b"]),
    ],
)
def test_what_fits(value: Any, kind: Any) -> None:
    assert mismatch(value, kind, "it") is None


@pytest.mark.parametrize(
    ("value", "kind", "phrase"),
    [
        (True, int, "it must be a whole number, not True"),
        (1, bool, "it must be true or false, not 1"),
        (3, Path, "it must be text, not 3"),
        (["a", {}], Sequence[Path], "it[1] must be text, not {}"),
        ({"y": 1}, Point, "it has no 'x'"),
        ({"x": 1, "z": 1}, Point, "it has an unknown key 'z'"),
        ({"x": "1"}, Point, "it.x must be a number, not '1'"),
        ("x" * 10**6, int, None),
        (10**4000, str, "it must be text, not an enormous number"),
    ],
)
def test_what_does_not(value: Any, kind: Any, phrase: str | None) -> None:
    found = mismatch(value, kind, "it")
    assert found is not None
    assert phrase is None or found == phrase
    assert len(found) < 200
