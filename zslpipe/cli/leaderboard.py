"""zslpipe leaderboard"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe leaderboard",
    "zslpipe leaderboard --dataset cub --by validation",
    "zslpipe leaderboard --store cub-resnet101-1a2b3c4d --evaluate --json",
)


@click.command("leaderboard", epilog=EXAMPLES)
@click.option("--store", help="Runs on this store, by its name or folder.")
@click.option("--dataset", help="Runs on this dataset.", show_default="that of the newest run")
@click.option(
    "--by",
    "order",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Sort by H on the test images or on the validation classes.",
)
@click.option("--evaluate", is_flag=True, help="First evaluate the runs that are not evaluated yet.")
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool, **options: Any) -> None:
    """List the runs on a dataset or store, the best first.

    All numbers are at the δ that validation chose. Runs that are not evaluated yet are named below the table.
    """
    from zslpipe.workflows.leaderboard import leaderboard

    done = leaderboard(workspace(data_root, cache), **options)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
