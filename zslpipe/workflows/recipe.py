"""A recipe: one YAML file per system and dataset, with the settings and the published numbers of a paper."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from zslpipe.errors import InputError
from zslpipe.heads import HEADS
from zslpipe.json_types import missing_or_mismatched, shown
from zslpipe.parts.settings import Range, check_settings
from zslpipe.registry import unknown
from zslpipe.selection import SELECTIONS
from zslpipe.workflows.plain_yaml import read_yaml

KINDS: dict[str, Any] = {  # keys whose types `check_settings` does not check
    "settings": dict[str, Any],
    "published": dict[str, dict[str, float]],
    "taps": list[str],
    "image_size": int | None,
}
LARGEST_IMAGE = 8192  # pixels
MOST_SEEDS = 1000
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
        reading: whether settings follow the paper's text or the released code if the two differ; "repaired" is the
            text with changes where it cannot be trained as printed.
        published: numbers in per cent by the name of the row in the paper; the first row is this recipe's.
        notes: what paper and code leave open, and what this recipe does differently.
    """

    system: str
    paper: str
    dataset: str
    backbone: str
    head: str
    settings: dict[str, Any]
    reading: Literal["paper", "released", "repaired"]
    published: dict[str, dict[str, float]]
    image_size: int | None = None
    weights: str = "timm"
    taps: tuple[str, ...] = ("global", "region")
    semantics: str = "att"
    selection: str = "unseen-class"
    seeds: Annotated[int, Range(1, MOST_SEEDS)] = 1
    notes: str = ""
    path: Path = field(default=Path(), compare=False)

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Read and check a recipe file.

        Raises:
            InputError: if the file is missing or not YAML, lacks a key, or has an unknown key, name or value.
        """
        content = read_yaml(path, "a recipe")
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
    wrong = missing_or_mismatched(content, {}, KINDS) or _wrong_value(content)
    if wrong:
        raise InputError(f"{path}: {wrong}.")
    for key in REQUIRED:
        if key not in content:
            raise InputError(f"{path} lacks the key '{key}'.")


def _wrong_value(content: dict[str, Any]) -> str | None:
    for row, numbers in content.get("published", {}).items():
        for name, number in numbers.items():
            if not 0 <= number <= 100:
                return f"published.{row}.{name} must be a percentage, not {number:g}"
    for key in ("settings", "published"):
        if odd := [name for name in content.get(key, {}) if not isinstance(name, str)]:
            return f"the keys of {key} must be text, not {shown(odd[0])}"
    size = content.get("image_size")
    if size is not None and not 1 <= size <= LARGEST_IMAGE:
        return f"image_size must be between 1 and {LARGEST_IMAGE}, not {size}"
    return None
