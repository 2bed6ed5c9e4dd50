"""zslpipe compare"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe compare sun-remse-20260101-120000 sun-eszsl-20260101-110000",
    "zslpipe compare sun-remse-20260101-120000 sun-eszsl-20260101-110000 --json",
)


@click.command("compare", epilog=EXAMPLES)
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@places
@as_json
def command(one: str, other: str, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Compare two runs on one dataset.

    Says whether their difference is more than noise. Names of runs are listed by `zslpipe cache ls`.
    """
    from zslpipe.workflows.compare import compare_runs

    done = compare_runs(workspace(data_root, cache), one, other)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
