"""zslpipe doctor"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, places, print_json, workspace


@click.command("doctor")
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Say which versions, devices and folders are in use here."""
    from zslpipe.workflows.versions import machine, versions

    place = workspace(data_root, cache)
    folders = {"data root": place.data_root, "cache": place.cache}
    found = {**versions(), **machine(), **{name: str(path.resolve()) for name, path in folders.items()}}
    if json_:
        print_json(found)
        return
    for key, value in found.items():
        click.echo(f"{key:14s} {'none' if value is None else value}")
    for name, path in folders.items():
        if not path.is_dir():
            click.echo(f"note: the {name} {path} is not there yet")
