"""zslpipe extract"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.command("extract")
@click.option("--backbone", help="Any timm model; resnet101 where not given.")
@click.option("--dataset", default=None, help="A known name or an image folder; the newest store's where not given.")
@click.option("--class-table", type=PATH, help="Folder of classes.csv (and images.csv) for an image folder.")
@click.option("--weights", default="timm", show_default=True, help="timm, package, random, or a weights FILE.")
@click.option("--taps", default="global,region", show_default=True, help="Which of global, region, trunk to store.")
@click.option("--image-size", type=int, help="Pixels of a side; the model's own where not given.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "tf32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Of the forward pass; tf32 and float16 on GPUs only.",
)
@click.option("--compile", is_flag=True, help="Use torch.compile: slow to start, then often faster.")
@click.option(
    "--dtype", type=click.Choice(["float16", "float32"]), default="float16", help="Stored as.", show_default=True
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option("--workers", type=click.IntRange(1), help="Decoding workers; as many as there are cores.")
@click.option(
    "--on-error", type=click.Choice(["fail", "skip"]), default="fail", show_default=True, help="Unreadable images."
)
@click.option("--shard", help="i/n: do the i-th of n equal parts; read from RANK or Slurm where not given.")
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool, taps: str, **options: Any) -> None:
    """Run a backbone over the images once and store its features.

    Goes on where an earlier call stopped.
    """
    from zslpipe.workflows.extract import extract_store

    keep_freed_memory()
    done = extract_store(workspace(data_root, cache), taps=tuple(taps.split(",")), **options)
    if json_:
        print_json(done.as_json())
        return
    for note in done.notes:
        click.echo(note)
    click.echo(f"store    {done.store.path}")
    for tap, shape in done.as_json()["taps"].items():
        click.echo(f"{tap:8s} {' x '.join(map(str, shape))}")
    failures = done.store.failures.values()
    for failure in failures:
        click.echo(f"failed   {failure.path}: {failure.error}")
    rows = f"{done.computed} computed, {done.reused} reused, {len(failures)} failed"
    click.echo(f"rows     {rows}{f', {done.missing} left to other shards' if done.missing else ''}")
    if done.computed:
        click.echo(f"speed    {done.summary.rate:.1f} images a second; {done.summary.limit} set the pace")
