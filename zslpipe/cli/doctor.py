"""zslpipe doctor"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, places, print_json, workspace


@click.command("doctor")
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Say which versions, devices and folders are in use here, and what is slow or missing."""
    from zslpipe.workflows.doctor import doctor

    found = doctor(workspace(data_root, cache))
    if json_:
        print_json(found)
        return
    for key, value in found.items():
        if key != "notes":
            click.echo(f"{key:14s} {'none' if value is None else value}")
    for note in found["notes"]:
        click.echo(f"note: {note}")
