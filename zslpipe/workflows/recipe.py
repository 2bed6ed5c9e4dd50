"""A recipe: one YAML file per system and dataset, with the settings and the published numbers of a paper."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from zslpipe.errors import InputError
from zslpipe.heads import HEADS
from zslpipe.parts.settings import Count, check_settings
from zslpipe.registry import unknown
from zslpipe.selection import SELECTIONS

KINDS: dict[str, tuple[type, str]] = {  # keys whose types `check_settings` does not check
    "settings": (dict, "the head's settings by name"),
    "published": (dict, "rows of numbers by name"),
    "taps": (list, "a list of taps"),
    "image_size": (int, "an integer"),
}
REQUIRED = ("system", "paper", "dataset", "backbone", "head", "settings", "reading", "published")


@dataclass(frozen=True)
class Recipe:
    """The content of a recipe file: one system on one dataset, with the settings of its paper.

    Attributes:
        system: name of the system; the folder of the file.
        paper: authors, title, venue.
        dataset, backbone, image_size, weights, taps: as for `extract`; `image_size` None is the backbone's own.
        semantics: as for `train-head --semantics`.
        head, settings: the head and its hyper-parameters by name.
        selection, seeds: as for `train-head`; settings given here are not searched.
        reading: whether settings follow the paper's text or the released code if the two differ.
        published: numbers in per cent by the name of the row in the paper; the first row is this recipe's.
        notes: what paper and code leave open, and what this recipe does differently.
    """

    system: str
    paper: str
    dataset: str
    backbone: str
    head: str
    settings: dict[str, Any]
    reading: Literal["paper", "released"]
    published: dict[str, dict[str, float]]
    image_size: int | None = None
    weights: str = "timm"
    taps: tuple[str, ...] = ("global", "region")
    semantics: str = "att"
    selection: str = "unseen-class"
    seeds: Count = 1
    notes: str = ""
    path: Path = field(default=Path(), compare=False)

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read and check a recipe file.

        Raises:
            InputError: if the file is missing or not YAML, lacks a key, or has an unknown key, name or value.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
            raise InputError(f"{path} cannot be read as a recipe ({str(problem).splitlines()[0]}).") from problem
        if not isinstance(content, dict):
            raise InputError(f"{path} is not a recipe: it has no keys.")
        _check_keys(path, content, [f.name for f in fields(cls) if f.name != "path"])
        recipe = cls(**{**content, "taps": tuple(content.get("taps", ("global", "region"))), "path": path})
        try:
            check_settings(cls, content)
            HEADS[recipe.head]().with_params(**recipe.settings)
            SELECTIONS[recipe.selection]
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from problem
        return recipe

    @property
    def name(self) -> str:
        """Its short name, such as `remse/cub`."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def shares(self) -> Mapping[str, float]:
        """The first published row, between 0 and 1."""
        first = next(iter(self.published.values()), {})
        return {metric: value / 100 for metric, value in first.items()}

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self), "path": str(self.path)}


def _check_keys(path: Path, content: dict[Any, Any], known: list[str]) -> None:
    for key in content:
        if key not in known:
            raise InputError(f"{path}: {unknown('key of a recipe', str(key), known)}")
    for key, (kind, wanted) in KINDS.items():
        if key in content and not isinstance(content[key], kind):
            raise InputError(f"{path}: {key} must be {wanted}, not {content[key]!r}.")
    for row, numbers in content.get("published", {}).items():
        if not isinstance(numbers, dict) or not all(isinstance(n, int | float) for n in numbers.values()):
            raise InputError(f"{path}: the published row '{row}' must hold numbers by name.")
    for key in REQUIRED:
        if key not in content:
            raise InputError(f"{path} lacks the key '{key}'.")
