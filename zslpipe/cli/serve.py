"""zslpipe serve"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.options import examples, places, workspace

EXAMPLES = examples(
    "zslpipe serve",
    "zslpipe serve my-birds-remse-20260101-120000 --port 8080",
    "zslpipe serve my-birds-remse-20260101-120000 --host 0.0.0.0 --allow-host birds.example.org --rate 2",
)


@click.command("serve", epilog=EXAMPLES)
@click.argument("run", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name under which the server is reached. Repeatable.",
)
@click.option("--seed", type=int, help="Which of the run's seeds.", show_default="the first")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--batch-size", type=click.IntRange(1, 256), default=16, show_default=True, help="Images per batch.")
@click.option(
    "--rate",
    type=click.FloatRange(0, 10_000),
    default=10.0,
    show_default=True,
    help="Requests per second from one address; 0 for no limit.",
)
@click.option(
    "--max-mb", "megabytes", type=click.IntRange(1, 100), default=15, show_default=True, help="Largest request, in MiB."
)
@places
def command(run: str | None, host: str, data_root: Path | None, cache: Path | None, **options: Any) -> None:
    """Serve a run: a web page to drop pictures on, and a JSON API.

    Without a name: the newest run. Classes can be added on the page, in words. Only this machine can reach it unless
    --host says otherwise. /docs describes the requests (OpenAPI). Pictures are kept in memory until they are answered,
    and nowhere else.
    """
    from zslpipe.workflows.serve import is_local, serve_run

    def started(address: str) -> None:
        click.echo(f"serving  {address}  (Ctrl-C stops)")
        if not is_local(host):
            click.echo("note: other machines can reach this server: put a proxy with TLS in front of it.", err=True)

    serve_run(workspace(data_root, cache), run, started=started, host=host, **options)
