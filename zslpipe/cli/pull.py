"""zslpipe pull"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples("zslpipe pull jane/my-birds", "zslpipe pull jane/my-birds --revision v1")


@click.command("pull", epilog=EXAMPLES)
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--revision", help="Branch, tag or commit.", show_default="the newest")
@places
@as_json
def command(repo: str, revision: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Download a run from the Hugging Face hub.

    `predict`, `export` and `serve` work without its store. Only JSON and safetensors are downloaded; they are checked
    before the run is kept.
    """
    from zslpipe.workflows.hub import pull

    run = pull(workspace(data_root, cache), repo, revision=revision)
    if json_:
        print_json({"run": run.name, "path": str(run.path)})
        return
    click.echo(f"pulled   {run.name} -> {run.path}")
