"""zslpipe export"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.command("export")
@click.argument("store", required=False)
@click.option("--out", type=PATH, required=True, help="A folder; for h5 a file.")
@click.option("--format", "format_", type=click.Choice(["mat", "npy", "h5"]), default="mat", show_default=True)
@click.option("--tap", default="global", show_default=True, help="Which rows to write.")
@click.option("--drop-failed", is_flag=True, help="Leave out rows of images that failed; else they are refused.")
@places
@as_json
def command(
    store: str | None,
    out: Path,
    format_: str,
    tap: str,
    drop_failed: bool,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Write a store (the newest where none is given) in a form that other programs read.

    mat: res101.mat and att_splits.mat, as the public repositories of the field read them.
    """
    from zslpipe.workflows.convert import export_store

    done = export_store(workspace(data_root, cache), store, out, format_=format_, tap=tap, drop_failed=drop_failed)
    if json_:
        print_json({"files": done.files, "rows": len(done.rows), "left_out": done.left_out.tolist()})
        return
    for path in done.files:
        click.echo(f"wrote    {path}")
    click.echo(f"rows     {len(done.rows)}{f', {len(done.left_out)} left out' if len(done.left_out) else ''}")
