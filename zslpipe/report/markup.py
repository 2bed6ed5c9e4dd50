"""HTML and SVG as values: whatever is not markup already is escaped, so nothing can be forgotten."""

import re
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

VOID = {"meta", "img", "wbr"}  # HTML elements without an end tag


class Markup(str):
    """Text that is markup; `el` makes it, and everything else is escaped on its way in."""

    __slots__ = ()


Attributes: TypeAlias = dict[str, str | float | None]
Child: TypeAlias = "str | int | float | Iterable[Child] | None"


def el(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. Attributes that are None are left out, `class_` means class, `stroke_width` stroke-width.

    >>> el("td", "<&>", class_="wide")
    '<td class="wide">&lt;&amp;&gt;</td>'
    """
    words = [name, *(_attribute(k, v) for k, v in attributes.items() if v is not None)]
    if name in VOID:
        return Markup(f"<{' '.join(words)}/>")
    return Markup(f"<{' '.join(words)}>{together(*children)}</{name}>")


def together(*children: Child) -> Markup:
    """Children one after the other; None is nothing."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str | int | float):
            parts.append(escape(number(child) if isinstance(child, float) else str(child)))
        elif child is not None:
            parts.append(together(*child))
    return Markup("".join(parts))


def breakable(name: str) -> Markup:
    """A name that may be broken after its underscores rather than anywhere."""
    parts = re.split(r"(?<=[_:/.])", name)
    return together(*([el("wbr") if i else None, part] for i, part in enumerate(parts)))


def number(value: float) -> str:
    """A coordinate or a setting, as short as six digits allow."""
    return f"{value:.6g}"


def _attribute(key: str, value: str | float) -> str:
    text = number(value) if isinstance(value, float) else str(value)
    # SVG's own names (viewBox) are camel-cased; those with a hyphen cannot be Python's.
    return f'{key.rstrip("_").replace("_", "-")}="{escape(text)}"'
