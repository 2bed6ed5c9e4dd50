"""`zslpipe backbones`: list the backbones that `extract` supports."""

from zslpipe.errors import InputError
from zslpipe.registry import unknown


def matching_backbones(pattern: str | None = None) -> list[str]:
    """The names of backbones.

    Args:
        pattern: with `*` or `?` to match the whole name, without them any part of it; None for all.

    Raises:
        InputError: if none matches; the message suggests similar names.
    """
    from zslpipe.backbones import list_backbones

    found = list_backbones(pattern)
    if found or pattern is None:
        return found
    if set("*?[") & set(pattern):
        raise InputError(f"no backbone matches '{pattern}': shorten it, or give part of a name without wildcards.")
    raise unknown("backbone", pattern, list_backbones())
