"""A sweep: one YAML file that says which heads to train, with which settings, on which stores and semantics."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from zslpipe.errors import InputError
from zslpipe.heads import HEADS
from zslpipe.json_types import missing_or_mismatched, shown
from zslpipe.parts.settings import Range, check_settings
from zslpipe.registry import unknown
from zslpipe.selection import selection_rule
from zslpipe.workflows.plain_yaml import read_yaml
from zslpipe.workflows.recipe import MOST_SEEDS

MOST_RUNS = 100_000
KINDS: dict[str, Any] = {"heads": list[Any], "stores": list[str], "semantics": list[str], "rule": dict[str, Any]}


@dataclass(frozen=True)
class Point:
    """One run: what `train-head` takes, with a number of seeds, and what the run is called in tables."""

    label: str
    head: str
    settings: dict[str, Any]
    store: str | None
    semantics: str
    selection: str = "unseen-class"
    rule: dict[str, Any] = field(default_factory=dict)
    seeds: int = 1


@dataclass(frozen=True)
class Entry:
    """One entry of `heads`: a head with its settings; of several values of a setting, each is a run of its own.

    In YAML a name alone will do, and so will a single value of a setting.
    """

    head: str
    settings: dict[str, list[Any]] = field(default_factory=dict)
    name: str = ""

    def variants(self) -> list[tuple[str, dict[str, Any]]]:
        """(label, settings) of every combination of the values."""
        several = [key for key, values in self.settings.items() if len(values) > 1]
        found = []
        for values in product(*self.settings.values()):
            settings = dict(zip(self.settings, values))
            varied = (f"{key}={_text(settings[key])}" for key in several)
            found.append((" ".join([self.name or self.head, *varied]), settings))
        return found


@dataclass(frozen=True)
class SweepFile:
    """The content of a sweep file.

    Attributes:
        heads: what to train.
        stores: names or folders of stores; the newest store if there is none.
        semantics, selection, rule, seeds: as for `train-head`; `seeds` is a number of seeds.
    """

    heads: tuple[Entry, ...]
    stores: tuple[str, ...] = ()
    semantics: tuple[str, ...] = ("att",)
    selection: str = "unseen-class"
    rule: dict[str, Any] = field(default_factory=dict)
    seeds: Annotated[int, Range(1, MOST_SEEDS)] = 1

    @classmethod
    def read(cls, path: Path) -> "SweepFile":
        """Read and check a sweep file.

        Raises:
            InputError: if it is missing or not YAML, or has an unknown key, head, setting or value.
        """
        content = read_yaml(path, "a sweep")
        if not isinstance(content, dict):
            raise InputError(f"{path} is not a sweep: it has no keys.")
        for key in content:
            if key not in [f.name for f in fields(cls)]:
                raise InputError(f"{path}: {unknown('key of a sweep', str(key), [f.name for f in fields(cls)])}")
        listed = {k: [v] if isinstance(v, str) and k in ("stores", "semantics") else v for k, v in content.items()}
        if wrong := missing_or_mismatched(listed, {"heads": list[Any]}, KINDS):
            raise InputError(f"{path}: {wrong}.")
        try:
            check_settings(cls, content)
            entries = tuple(_entry(value) for value in listed.pop("heads"))
            others: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in listed.items()}
            sweep = cls(entries, **others)
            selection_rule(sweep.selection, sweep.rule)
            sweep.points()
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from problem
        return sweep

    def points(self) -> list[Point]:
        """All runs: every head with each of its settings, on every store with all semantics."""
        found = []
        for store, semantics in product(self.stores or (None,), self.semantics):
            where = [semantics] * (len(self.semantics) > 1) + [Path(store or "").name] * (len(self.stores) > 1)
            for entry in self.heads:
                for label, settings in entry.variants():
                    HEADS[entry.head]().with_params(**settings)  # rejects unknown names and values
                    name, how = ", ".join([label, *where]), (self.selection, self.rule, self.seeds)
                    found.append(Point(name, entry.head, settings, store, semantics, *how))
            if len(found) > MOST_RUNS:
                raise InputError(f"it has more than {MOST_RUNS} runs.")
        if not found:
            raise InputError("it has no runs: name heads, and semantics unless they are the default.")
        repeated = [point.label for i, point in enumerate(found) if point.label in {p.label for p in found[:i]}]
        if repeated:
            raise InputError(f"two runs are called '{repeated[0]}': give one of them another name.")
        return found


def _entry(value: Any) -> Entry:
    if isinstance(value, str):
        return Entry(value)
    if wrong := missing_or_mismatched(value, {"head": str}, {"settings": dict[str, Any], "name": str}):
        raise InputError(f"an entry of heads is wrong ({wrong}): write a name, or head, settings and name.")
    if odd := [key for key in value if key not in ("head", "settings", "name")]:
        raise unknown("key of an entry of heads", str(odd[0]), ["head", "settings", "name"])
    settings: Mapping[Any, Any] = value.get("settings", {})
    if odd := [key for key in settings if not isinstance(key, str)]:
        raise InputError(f"the keys of settings must be text, not {shown(odd[0])}.")
    if empty := [key for key, v in settings.items() if v == []]:
        raise InputError(f"{empty[0]} has no value.")
    listed = {key: v if isinstance(v, list) else [v] for key, v in settings.items()}
    return Entry(value["head"], listed, value.get("name", ""))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
