"""zslpipe compare"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, places, print_json, workspace


@click.command("compare")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@places
@as_json
def command(one: str, other: str, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Say how far two runs differ and whether that is more than noise."""
    from zslpipe.workflows.compare import compare_runs

    done = compare_runs(workspace(data_root, cache), one, other)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
