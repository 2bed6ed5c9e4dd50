"""YAML of strangers: plain values in a small file, without the parts of YAML that surprise or never end."""

from pathlib import Path
from typing import Any

import yaml

from zslpipe.errors import InputError

MOST_BYTES = 1 << 20
DEEPEST = 20


class _Plain(yaml.SafeLoader):
    """Refuses aliases, repeated keys, deep nesting, and numbers that are not written as people write them."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise _error("aliases (*name) are not allowed: write the value out", self.peek_event().start_mark)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _error(f"it is nested more than {DEEPEST} deep", self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error("a key must be text", key.start_mark)
            if key.value in keys:
                raise _error(f"the key '{key.value[:40]}' is given twice", key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def plain_number(self, node: Any) -> int | float:
        """Without 1_000 (a thousand), 1:30 (ninety), 0o17 or 0b1, which nobody means."""
        text = self.construct_scalar(node)
        if len(text) > 40:
            raise _error(f"the number {text[:20]}… is too long", node.start_mark)
        try:
            if "_" in text or ":" in text:
                raise ValueError
            return float(text) if node.tag.endswith("float") else int(text)
        except ValueError:
            if text.lower().lstrip("+-") in (".inf", ".nan"):
                return float(text.replace(".", ""))
            raise _error(f"'{text}' is not a plain number: write digits only, or quote it", node.start_mark) from None


for _kind in ("int", "float"):
    _Plain.add_constructor(f"tag:yaml.org,2002:{_kind}", _Plain.plain_number)
_Plain.add_constructor("tag:yaml.org,2002:timestamp", _Plain.construct_yaml_str)  # type: ignore[type-var]


def _error(what: str, mark: Any) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {mark.line + 1}: {what}")


def read_yaml(path: Path, kind: str) -> Any:
    """The content of a YAML file, which a message calls `kind`.

    Raises:
        InputError: if it cannot be read, is too large or too deep, or contains aliases or repeated keys.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} cannot be read as {kind}: it is larger than {MOST_BYTES >> 20} MB.")
        return yaml.load(path.read_text(encoding="utf-8"), _Plain)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as problem:
        if isinstance(problem, InputError):
            raise
        reason = getattr(problem, "strerror", None) or (str(problem).splitlines() or [type(problem).__name__])[0][:200]
        mark = getattr(problem, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(
            f"{path} cannot be read as {kind} ({where}{getattr(problem, 'problem', None) or reason})."
        ) from problem
