"""zslpipe eval"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, places, print_json, workspace


@click.command("eval")
@click.argument("runs", nargs=-1)
@click.option("--gzsl", is_flag=True, help="Also tell seen and unseen classes apart: U, S, H, AUSUC.")
@click.option(
    "--calibrate", is_flag=True, help="Subtract the constant that validation chose from seen classes' scores."
)
@click.option("--selection", type=click.Choice(["validated", "oracle"]), default="validated", show_default=True)
@places
@as_json
def command(
    runs: tuple[str, ...],
    gzsl: bool,
    calibrate: bool,
    selection: str,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Score runs on the test sets (the newest run where none is given)."""
    from zslpipe.workflows.evaluate import evaluate_runs, table

    done = evaluate_runs(workspace(data_root, cache), runs, gzsl=gzsl, calibrate=calibrate, selection=selection)
    if json_:
        print_json([evaluation.as_json() for evaluation in done])
    else:
        click.echo(table(done))
