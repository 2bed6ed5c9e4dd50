"""`zslpipe run`: a whole recipe, from images to a table with the published numbers beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from zslpipe.errors import InputError
from zslpipe.heads import HEADS
from zslpipe.parts.settings import Count, check_settings
from zslpipe.registry import unknown
from zslpipe.selection.rules import SELECTIONS
from zslpipe.workflows.evaluate import Evaluation, evaluate_run
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

KINDS: dict[str, tuple[type, str]] = {  # of the keys that hold more than one word or number
    "settings": (dict, "the head's settings by their names"),
    "published": (dict, "rows of numbers by their names"),
    "taps": (list, "a list of taps"),
    "image_size": (int, "a whole number"),  # or, where it is left out, the backbone's own
}


@dataclass(frozen=True)
class Recipe:
    """What a file below pipelines/ says: one system on one data set, with the settings of its paper.

    Attributes:
        paper: authors, title, venue.
        dataset, backbone, image_size, weights, taps: what `extract` is given.
        semantics: what `train-head --semantics` is given.
        head, settings: the head and its hyper-parameters, by their names there.
        selection, seeds: as of `train-head`; settings the recipe fixes are not searched.
        reading: whether settings follow the paper's text or the released code where these differ.
        published: numbers in per cent by the name of the row in the paper; the first is this recipe's.
        notes: what was not to be had from paper or code, and what differs here.
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
        """Read and check a recipe.

        Raises:
            InputError: where the file is missing, is no YAML, lacks a key, or has a key or name that nobody knows.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
            raise InputError(f"{path} cannot be read as a recipe ({str(problem).splitlines()[0]}).") from problem
        if not isinstance(content, dict):
            raise InputError(f"{path} is no recipe: it has no keys.")
        known = {f.name: f for f in fields(cls) if f.name != "path"}
        for key in content:
            if key not in known:
                raise InputError(f"{path}: {unknown('key of a recipe', str(key), known)}")
        for key, (kind, wanted) in KINDS.items():
            if key in content and not isinstance(content[key], kind):
                raise InputError(f"{path}: {key} must be {wanted}, not {content[key]!r}.")
        for row, numbers in content.get("published", {}).items():
            if not isinstance(numbers, dict) or not all(isinstance(n, int | float) for n in numbers.values()):
                raise InputError(f"{path}: the published row '{row}' must hold numbers by their names.")
        for key in ("system", "paper", "dataset", "backbone", "head", "settings", "reading", "published"):
            if key not in content:
                raise InputError(f"{path} lacks the key '{key}'.")
        recipe = cls(**{**content, "taps": tuple(content.get("taps", ("global", "region"))), "path": path})
        try:
            check_settings(cls, content)
            HEADS[recipe.head]().with_params(**recipe.settings)
            SELECTIONS[recipe.selection]
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from problem
        return recipe

    @property
    def shares(self) -> Mapping[str, float]:
        """This recipe's published numbers between 0 and 1."""
        first = next(iter(self.published.values()), {})
        return {metric: value / 100 for metric, value in first.items()}


def run_recipe(workspace: Workspace, path: Path, **overrides: Any) -> Evaluation:
    """Extract, train and evaluate what the recipe at `path` says; what is in the cache already is used again.

    `overrides` replace keys of the recipe, for trials: they are recorded with the run like everything else.
    """
    recipe = Recipe.read(path)
    settings = {**recipe.settings, **overrides.pop("settings", {})}
    asked = {f.name: getattr(recipe, f.name) for f in fields(recipe)} | overrides
    extraction = extract_store(
        workspace,
        asked["dataset"],
        asked["backbone"],
        weights=asked["weights"],
        image_size=asked["image_size"],
        taps=asked["taps"],
    )
    run, _ = train_head(
        workspace,
        recipe.head,
        extraction.store,
        semantics=asked["semantics"],
        settings=settings,
        selection=asked["selection"],
        seeds=range(asked["seeds"]),
        recipe={"file": f"{path.parent.name}/{path.name}", "reading": recipe.reading, "published": dict(recipe.shares)},
        reuse=True,
    )
    return evaluate_run(workspace, run, True, True, "oracle" if asked["selection"] == "oracle" else "validated")
