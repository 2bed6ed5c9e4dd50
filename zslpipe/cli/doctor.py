"""zslpipe doctor"""

import click

from zslpipe.cli.options import as_json, print_json


@click.command("doctor")
@as_json
def command(json_: bool) -> None:
    """Say which versions and devices are here."""
    from zslpipe.workflows.versions import machine, versions

    found = {**versions(), **machine()}
    if json_:
        print_json(found)
        return
    for key, value in found.items():
        click.echo(f"{key:14s} {'none' if value is None else value}")
