"""zslpipe report"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.command("report")
@click.argument("runs", nargs=-1)
@click.option("--out", type=PATH, help="The page to write. [CACHE/reports/RUN.html]")
@places
@as_json
def command(runs: tuple[str, ...], out: Path | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Write one web page on runs (the newest where none is given), to read offline: numbers, curves, classes.

    Runs that have no scores yet are evaluated first.
    """
    from zslpipe.workflows.report import report

    done = report(workspace(data_root, cache), runs, out)
    if json_:
        print_json(done.as_json())
        return
    for run in done.runs:
        for note in run.notes:
            click.echo(f"{run.name}: {note}")
    click.echo(f"wrote    {done.path}")
