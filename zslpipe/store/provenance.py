"""How features were made: what changes their numbers, and what is only recorded."""

from typing import Any

from zslpipe.errors import InputError
from zslpipe.files import sha256_json
from zslpipe.json_types import mismatch, shown


def check_provenance(provenance: dict[str, Any]) -> None:
    """Raise `InputError` unless it is {"fingerprinted": {...}, "recorded": {...}}."""
    if set(provenance) != {"fingerprinted", "recorded"}:
        raise InputError(f"provenance must have the keys 'fingerprinted' and 'recorded', not {sorted(provenance)}.")
    if wrong := mismatch(provenance["recorded"].get("request", {}), dict[str, Any], "the request"):
        raise InputError(f"{wrong}.")


def fingerprint(provenance: dict[str, Any]) -> str:
    """Hash of what changes the numbers, and of nothing else."""
    return sha256_json(provenance["fingerprinted"])


def backbone_name(provenance: dict[str, Any]) -> str:
    """The name of the backbone, given by name or by a description with a name."""
    backbone = provenance["fingerprinted"].get("backbone", "unknown")
    return str(backbone.get("name", "unknown") if isinstance(backbone, dict) else backbone)


def _leaves(value: Any, at: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {at: value}
    return {k: v for name, child in value.items() for k, v in _leaves(child, f"{at}.{name}" if at else name).items()}


def difference(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(key, value in one, value in other) of every fingerprinted setting that differs; None if it is absent.

    >>> difference(
    ...     {"fingerprinted": {"backbone": {"name": "a", "size": 224}}, "recorded": {}},
    ...     {"fingerprinted": {"backbone": {"name": "a", "size": 448}}, "recorded": {}},
    ... )
    [('backbone.size', 224, 448)]
    """
    mine, others = _leaves(one["fingerprinted"]), _leaves(other["fingerprinted"])
    keys = sorted(mine.keys() | others.keys())
    return [(k, mine.get(k), others.get(k)) for k in keys if mine.get(k) != others.get(k)]


def describe_differences(differences: list[tuple[str, Any, Any]], most: int = 3) -> str:
    """The first differences in words.

    >>> describe_differences([("size", 224, 448)])
    'size is 224 there and 448 here'
    """
    words = [f"{key} is {shown(mine)} there and {shown(other)} here" for key, mine, other in differences[:most]]
    more = len(differences) - most
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")
