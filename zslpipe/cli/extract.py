"""zslpipe extract"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe extract --backbone resnet101 --dataset cub",
    "zslpipe extract --backbone vit_base_patch16_224 --dataset ./my-images --class-table ./tables",
    "zslpipe extract --backbone resnet101 --dataset cub --weights resnet101.safetensors --image-size 448",
    "zslpipe extract --backbone resnet101 --dataset cub --shard 0/4",
    "zslpipe extract --backbone open_clip/ViT-B-32.openai --taps embedding,global --dataset cub",
    "zslpipe extract --backbone resnet101 --dataset cub --on ray --actors 16 --workers 4",
    "zslpipe extract --backbone resnet101 --dataset cub --to s3://my-bucket/stores",
    "zslpipe extract --weights cub-remse-20250101-120000 --folds",
)


@click.command("extract", epilog=EXAMPLES)
@click.option("--backbone", help="Name of a backbone; `zslpipe backbones` lists them.", show_default="resnet101")
@click.option("--dataset", default=None, help="A known name or an image folder.", show_default="the newest store's")
@click.option("--class-table", type=PATH, help="Class table of an image folder, or the folder it is in.")
@click.option("--weights", default="timm", show_default=True, help="timm, package, random, a weights FILE, or a RUN.")
@click.option("--seed", type=int, help="Which of the run's backbones.", show_default="the first")
@click.option("--folds", is_flag=True, help="Also store what selection needs: features of backbones tuned in folds.")
@click.option(
    "--taps", default="global,region", show_default=True, help="Features to store: global, region, trunk; embedding."
)
@click.option("--image-size", type=int, help="Input size of the backbone, in pixels.", show_default="the model's own")
@click.option(
    "--precision",
    type=click.Choice(["float32", "tf32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Arithmetic of the backbone; tf32 and float16 on GPUs only.",
)
@click.option("--compile", is_flag=True, help="Use torch.compile: slow to start, then often faster.")
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Type of the stored features.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images per batch.")
@click.option("--workers", type=click.IntRange(1), help="Decoding workers.", show_default="the number of cores")
@click.option(
    "--on-error",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What to do with an unreadable image.",
)
@click.option("--to", metavar="URL", help="Extract to this folder of an object store.", show_default="CACHE/stores")
@click.option("--on", type=click.Choice(["ray"]), help="Run on Ray: on the cluster of RAY_ADDRESS, or a local one.")
@click.option("--actors", type=click.IntRange(1), help="Ray actors.", show_default="one per GPU, or all CPUs")
@click.option("--shard", help="i/n: part i of n, counted from 0.", show_default="from Slurm, if set")
@places
@as_json
def command(data_root: Path | None, cache: Path | None, json_: bool, taps: str, **options: Any) -> None:
    """Run a backbone over the images once and store its features.

    Resumes where an earlier call stopped. The ranks of torchrun share the work, each on its own GPU.
    """
    from zslpipe.workflows.extract import extract_store

    keep_freed_memory()
    done = extract_store(workspace(data_root, cache), taps=tuple(taps.split(",")), **options)
    if json_:
        print_json(done.as_json())
        return
    for note in done.notes:
        click.echo(note)
    click.echo(f"store    {done.as_json()['store']}")
    for tap, shape in done.as_json()["taps"].items():
        click.echo(f"{tap:8s} {' x '.join(map(str, shape))}")
    failures = done.store.failures.values()
    for failure in failures:
        click.echo(f"failed   {failure.path}: {failure.error}")
    rows = f"{done.computed} computed, {done.reused} reused, {len(failures)} failed"
    click.echo(f"rows     {rows}{f', {done.missing} left to other shards' if done.missing else ''}")
    if done.computed:
        click.echo(f"speed    {done.summary.rate:.1f} images a second; {done.summary.limit} was the bottleneck")
