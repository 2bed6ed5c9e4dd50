"""zslpipe export"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.command("export")
@click.argument("store", required=False)
@click.option("--out", type=PATH, required=True, help="A folder for .mat (res101.mat and att_splits.mat), else a file.")
@click.option("--format", "format_", type=click.Choice(["mat", "npy", "h5"]), default="mat", show_default=True)
@click.option("--tap", default="global", show_default=True, help="Which rows to write.")
@places
@as_json
def command(
    store: str | None, out: Path, format_: str, tap: str, data_root: Path | None, cache: Path | None, json_: bool
) -> None:
    """Write a store (the newest where none is given) in a form that other programs read."""
    from zslpipe.workflows.convert import export_store

    written = export_store(workspace(data_root, cache), store, out, format_=format_, tap=tap)
    if json_:
        print_json([str(path) for path in written])
    else:
        for path in written:
            click.echo(f"wrote    {path}")
