"""zslpipe push"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe push my-birds-remse-20260101-120000 jane/my-birds",
    "zslpipe push my-birds-remse-20260101-120000 jane/my-birds --public",
)


@click.command("push", epilog=EXAMPLES)
@click.argument("run")
@click.argument("repo", metavar="OWNER/NAME")
@click.option("--public", is_flag=True, help="Make the repository public if it is new.")
@places
@as_json
def command(run: str, repo: str, public: bool, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Upload a run to the Hugging Face hub, with a model card.

    JSON and safetensors only: the heads, the classes and how the features are made. This includes the names of the
    dataset's images, but no images, features or paths of this machine. Log in first: hf auth login.
    """
    from zslpipe.workflows.hub import push

    done = push(workspace(data_root, cache), run, repo, public=public)
    if json_:
        print_json({"run": done.run, "address": done.address, "files": done.files})
        return
    click.echo(f"pushed   {done.run} -> {done.address} ({len(done.files)} files)")
