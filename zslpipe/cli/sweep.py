"""zslpipe sweep"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe sweep sweep.yaml",
    "zslpipe sweep sweep.yaml --jobs 2 --json",
    "zslpipe sweep sweep.yaml --on ray --jobs 16    # the cluster of RAY_ADDRESS, or a local one",
    "zslpipe sweep sweep.yaml --on dask             # the cluster of DASK_SCHEDULER_ADDRESS, or a local one",
)


@click.command("sweep", epilog=EXAMPLES)
@click.argument("file", type=PATH)
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.", show_default="the number of cores")
@click.option(
    "--on",
    type=click.Choice(["loky", "dask", "ray"]),
    default="loky",
    show_default=True,
    help="Processes of this machine (loky), or a cluster.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads of each run.", show_default="cores / jobs")
@click.option("--out", "page", type=PATH, help="HTML report to write.", show_default="CACHE/reports/FILE.html")
@places
@as_json
def command(file: Path, data_root: Path | None, cache: Path | None, json_: bool, **options: Any) -> None:
    """Train and evaluate many heads, several at a time.

    Runs that are in the cache are not trained again: repeat an interrupted sweep to continue it. A run that fails
    does not stop the others; failures are listed at the end, and the exit code is then 1.

    \b
    FILE is a YAML file with these keys; only heads is required:
      heads:
        - eszsl
        - head: remse
          settings: {branch: global, epochs: [10, 20]}   # several values: one run for each
          name: global                                   # in the table
      stores: [cub-resnet101-1a2b3c4d]                   # names or folders; default: the newest
      semantics: [att, sentences]
      seeds: 5
      selection: unseen-class
      rule: {folds: 5}
    """
    from zslpipe.workflows.sweep import sweep

    keep_freed_memory()
    done = sweep(workspace(data_root, cache), file, **options)
    if json_:
        print_json(done.as_json())
    else:
        click.echo(done.text())
        if done.page:
            click.echo(f"report   {done.page}")
    if done.failures:
        raise SystemExit(1)
