"""zslpipe run"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import as_json, examples, parse_settings, places, print_json, print_notes, workspace

EXAMPLES = examples(
    "zslpipe run remse/cub",
    "zslpipe run remse/cub --seeds 5 --set epochs=10",
    "zslpipe run my-recipe.yaml --weights resnet101.safetensors --json",
    "zslpipe recipes    # the names",
)


@click.command("run", epilog=EXAMPLES)
@click.argument("recipe")
@click.option("--weights", help="Weights instead of the recipe's: timm, package, random, or a FILE.")
@click.option("--image-size", type=int, help="Input size instead of the recipe's, in pixels.")
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds, instead of the recipe's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a hyper-parameter of the head.")
@places
@as_json
def command(
    recipe: str, settings: tuple[str, ...], data_root: Path | None, cache: Path | None, json_: bool, **others: Any
) -> None:
    """Run a recipe, from images to table.

    The table has the published numbers beside the result. Whatever the cache already has is reused.

    RECIPE is a name that `zslpipe recipes` lists, or a YAML file.
    """
    from zslpipe.workflows.evaluate import table
    from zslpipe.workflows.run_recipe import run_recipe

    keep_freed_memory()
    overrides = {key: value for key, value in others.items() if value is not None}
    done = run_recipe(workspace(data_root, cache), recipe, settings=parse_settings(settings), **overrides)
    print_notes(done.run.about.get("notes", ()))
    if json_:
        print_json(done.as_json())
    else:
        click.echo(table([done]))
