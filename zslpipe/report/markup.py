"""Builds HTML and SVG; every string that is not `Markup` is escaped automatically."""

import re
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

VOID = {"meta", "img", "wbr", "input", "link"}  # HTML elements without an end tag


class Markup(str):
    """A string that is already markup, as returned by `el`; it is not escaped again."""

    __slots__ = ()


Attributes: TypeAlias = dict[str, str | float | None]
Child: TypeAlias = "str | int | float | Iterable[Child] | None"


def el(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. Attributes that are None are omitted; `class_` becomes class, `stroke_width` stroke-width.

    >>> el("td", "<&>", class_="wide")
    '<td class="wide">&lt;&amp;&gt;</td>'
    """
    words = [name, *(_attribute(k, v) for k, v in attributes.items() if v is not None)]
    if name in VOID:
        return Markup(f"<{' '.join(words)}/>")
    return Markup(f"<{' '.join(words)}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Concatenate children; None is skipped."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str | int | float):
            parts.append(escape(format_number(child) if isinstance(child, float) else str(child)))
        elif child is not None:
            parts.append(join(*child))
    return Markup("".join(parts))


def breakable(name: str) -> Markup:
    """A name with line-break opportunities after its separators."""
    parts = re.split(r"(?<=[_:/.])", name)
    return join(*([el("wbr") if i else None, part] for i, part in enumerate(parts)))


def format_number(value: float) -> str:
    """A number with at most six significant digits."""
    return f"{value:.6g}"


def _attribute(key: str, value: str | float) -> str:
    text = format_number(value) if isinstance(value, float) else str(value)
    # hyphens are not allowed in Python names; camel-case SVG names (viewBox) are unchanged
    return f'{key.rstrip("_").replace("_", "-")}="{escape(text)}"'
