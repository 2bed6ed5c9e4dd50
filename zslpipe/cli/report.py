"""zslpipe report"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe report",
    "zslpipe report --errors-by-epoch",
    "zslpipe report sun-remse-20260101-120000 sun-eszsl-20260101-110000 --out page.html",
)


@click.command("report", epilog=EXAMPLES)
@click.argument("runs", nargs=-1)
@click.option("--out", type=PATH, help="File to write.", show_default="CACHE/reports/RUN.html")
@click.option("--errors-by-epoch", is_flag=True, help="Train once more and show the semantic errors after every epoch.")
@places
@as_json
def command(
    runs: tuple[str, ...],
    out: Path | None,
    errors_by_epoch: bool,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Write a self-contained web page about runs.

    Without a name: the newest run. Runs without scores are evaluated first.
    """
    from zslpipe.workflows.report import report

    done = report(workspace(data_root, cache), runs, out, errors_by_epoch)
    if json_:
        print_json(done.as_json())
        return
    for run in done.runs:
        for note in run.notes:
            click.echo(f"{run.name}: {note}")
    click.echo(f"wrote    {done.path}")
