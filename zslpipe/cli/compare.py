"""zslpipe compare"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe compare sun-remse-20260101-120000 sun-eszsl-20260101-110000",
    "zslpipe compare sun-remse-20260101-120000 sun-eszsl-20260101-110000 sun-apn-20260101-130000 --json",
)


@click.command("compare", epilog=EXAMPLES)
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@places
@as_json
def command(runs: tuple[str, ...], data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Compare runs on one dataset.

    Tells whether their differences exceed noise. With more than two runs, each is compared with the one that has the
    highest H. `zslpipe cache ls` lists the names of runs.
    """
    from zslpipe.workflows.compare import compare_runs

    done = compare_runs(workspace(data_root, cache), *runs)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
