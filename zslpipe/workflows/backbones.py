"""`zslpipe backbones`: which backbones `extract` takes."""

from zslpipe.errors import InputError
from zslpipe.registry import unknown


def matching_backbones(pattern: str | None = None) -> list[str]:
    """Names in alphabetical order.

    Args:
        pattern: with `*` or `?` to match the whole name, without them any part of it; None for all.

    Raises:
        InputError: if none matches; the message suggests similar names.
    """
    from zslpipe.backbones import list_backbones

    if pattern is None:
        return list_backbones()
    is_glob = bool(set("*?[") & set(pattern))
    found = list_backbones(pattern if is_glob else f"*{pattern}*")
    if not found and is_glob:
        raise InputError(f"no backbone matches '{pattern}': shorten it, or give part of a name without wildcards.")
    if not found:
        raise unknown("backbone", pattern, list_backbones())
    return found
