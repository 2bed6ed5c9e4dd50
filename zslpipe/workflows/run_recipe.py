"""`zslpipe run`: a complete recipe, from images to a table that includes the published numbers."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from zslpipe.workflows.evaluate import Evaluation, evaluate_run
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.recipes import read_recipe
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace


def run_recipe(workspace: Workspace, name: str | Path, **overrides: Any) -> Evaluation:
    """Extract, train and evaluate as specified by a recipe; results in the cache are reused.

    Args:
        workspace: where datasets, stores and runs are.
        name: short name (`remse/cub`) or path of the recipe.
        overrides: replace keys of the recipe (`settings` are merged); they are recorded with the run.

    Raises:
        InputError: for an unknown or invalid recipe, and whatever its steps raise.
    """
    recipe = read_recipe(name)
    path = recipe.path
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
