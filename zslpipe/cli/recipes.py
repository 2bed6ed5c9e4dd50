"""zslpipe recipes"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import indent
from typing import TYPE_CHECKING

import click

from zslpipe.cli.options import as_json, examples, plugins, print_json, print_pairs

if TYPE_CHECKING:
    from zslpipe.workflows.recipe import Recipe

FOLLOWED = {
    "paper": "the paper where paper and released code differ",
    "released": "the released code where paper and released code differ",
    "repaired": "the paper, repaired where it cannot be trained as printed",
}
EXAMPLES = examples(
    "zslpipe recipes",
    "zslpipe recipes remse/cub",
    "zslpipe recipes my-recipe.yaml --json",
    "zslpipe run remse/cub",
)


@click.command("recipes", epilog=EXAMPLES)
@click.argument("name", required=False)
@plugins
@as_json
def command(name: str | None, json_: bool) -> None:
    """List the recipes that `run` takes, or show one.

    A recipe holds the settings and the published numbers of one paper on one dataset. NAME is a name from the list, or
    a YAML file.
    """
    from zslpipe.workflows.recipes import list_recipes, read_recipe

    if name is None:
        recipes = list_recipes()
        if json_:
            print_json([recipe.as_json() for recipe in recipes])
        else:
            _print_list(recipes)
        return
    recipe = read_recipe(name)
    if json_:
        print_json(recipe.as_json())
    else:
        _print_one(recipe)


def _print_list(recipes: "Sequence[Recipe]") -> None:
    """Below each paper its recipes with their first published row."""
    for paper, group in groupby(recipes, key=lambda recipe: recipe.paper):
        click.echo(paper)
        for recipe in group:
            published = _row(next(iter(recipe.published.values()), {}))
            click.echo(f"  {recipe.name:26s} {recipe.dataset:6s} {recipe.backbone:26s} {published}")


def _print_one(recipe: "Recipe") -> None:
    followed = FOLLOWED[recipe.reading]
    size = f"{recipe.image_size} px" if recipe.image_size else "its own image size"
    print_pairs(
        {
            "recipe": recipe.name,
            "paper": recipe.paper,
            "dataset": recipe.dataset,
            "backbone": f"{recipe.backbone}, {size}, weights: {recipe.weights}, taps: {', '.join(recipe.taps)}",
            "semantics": recipe.semantics,
            "head": recipe.head,
            "selection": f"{recipe.selection}, {recipe.seeds} seed{'s' * (recipe.seeds > 1)}",
            "reading": f"settings follow {followed}",
            "file": recipe.path,
        }
    )
    click.echo("\nsettings")
    print_pairs(recipe.settings, indent=2)
    click.echo("\npublished (per cent)")
    print_pairs({row: _row(numbers) for row, numbers in recipe.published.items()}, indent=2)
    if recipe.notes:
        click.echo(f"\nnotes\n{indent(recipe.notes.rstrip(), '  ')}")


def _row(numbers: Mapping[str, float]) -> str:
    return "  ".join(f"{metric} {value:5g}" for metric, value in numbers.items())
