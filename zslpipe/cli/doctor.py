"""zslpipe doctor"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples("zslpipe doctor", "zslpipe doctor --cache /scratch/cache --json")


@click.command("doctor", epilog=EXAMPLES)
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Show versions and devices, and what is slow or missing."""
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
