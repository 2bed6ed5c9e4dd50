"""zslpipe export"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe export --out ./mat",
    "zslpipe export cub-resnet101-1a2b3c4d --format npy --tap region --out ./npy",
    "zslpipe export --format h5 --out features.h5",
)


@click.command("export", epilog=EXAMPLES)
@click.argument("store", required=False)
@click.option("--out", type=PATH, required=True, help="Folder to write to; a file for h5.")
@click.option("--format", "format_", type=click.Choice(["mat", "npy", "h5"]), default="mat", show_default=True)
@click.option("--tap", default="global", show_default=True, help="Which features to write.")
@click.option("--drop-failed", is_flag=True, help="Leave out images that failed, instead of refusing.")
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
    """Write a store as .mat, .npy or .h5.

    Without a name: the newest store. The format mat writes res101.mat and att_splits.mat, which the public code of most
    papers reads.
    """
    from zslpipe.workflows.convert import export_store

    done = export_store(workspace(data_root, cache), store, out, format_=format_, tap=tap, drop_failed=drop_failed)
    if json_:
        print_json({"files": done.files, "rows": len(done.rows), "left_out": done.left_out.tolist()})
        return
    for path in done.files:
        click.echo(f"wrote    {path}")
    click.echo(f"rows     {len(done.rows)}{f', {len(done.left_out)} left out' if len(done.left_out) else ''}")
