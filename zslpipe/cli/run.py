"""zslpipe run"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import PATH, as_json, parse_settings, places, print_json, workspace


@click.command("run")
@click.argument("recipe", type=PATH)
@click.option("--weights", help="Instead of the recipe's: timm, package, random, or a weights FILE.")
@click.option("--image-size", type=int, help="Instead of the recipe's.")
@click.option("--seeds", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Another hyper-parameter of the head.")
@places
@as_json
def command(
    recipe: Path, settings: tuple[str, ...], data_root: Path | None, cache: Path | None, json_: bool, **others: Any
) -> None:
    """Do all that a recipe (a file below pipelines/) says, and set its published numbers beside the result."""
    from zslpipe.workflows.evaluate import table
    from zslpipe.workflows.recipe import run_recipe

    keep_freed_memory()
    overrides = {key: value for key, value in others.items() if value is not None}
    done = run_recipe(workspace(data_root, cache), recipe, settings=parse_settings(settings), **overrides)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(table([done]))
