"""zslpipe export"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe export --out ./mat",
    "zslpipe export cub-resnet101-1a2b3c4d --format npy --tap region --out ./npy",
    "zslpipe export --format h5 --out features.h5",
    "zslpipe export my-birds-remse-20260101-120000 --format onnx --out ./model",
)
MODELS = ("onnx", "program")


@click.command("export", epilog=EXAMPLES)
@click.argument("what", required=False, metavar="[STORE|RUN]")
@click.option("--out", type=PATH, required=True, help="Folder to write to; a file for h5.")
@click.option("--format", "format_", type=click.Choice(["mat", "npy", "h5", *MODELS]), default="mat", show_default=True)
@click.option("--tap", default="global", show_default=True, help="Of a store: which features to write.")
@click.option("--drop-failed", is_flag=True, help="Of a store: leave out failed images, instead of refusing.")
@click.option("--seed", type=int, help="Of a run: which of its seeds.", show_default="the first")
@click.option(
    "--image",
    "images",
    type=PATH,
    multiple=True,
    help="Of a run: image or folder on which to compare the result with Python. Repeatable.",
    show_default="test images",
)
@places
@as_json
def command(
    what: str | None,
    out: Path,
    format_: str,
    tap: str,
    drop_failed: bool,
    seed: int | None,
    images: tuple[Path, ...],
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Write a store as .mat, .npy or .h5, or a run as one model.

    Without a name: the newest. The format mat writes res101.mat and att_splits.mat, which the public code of most
    papers reads.

    The formats onnx and program (of torch.export) write the backbone and head of a run in one file, with the semantics
    of the classes as an input, so that classes can be added later. The file is compared with Python on real images
    before anything is kept; a class table and a model card go beside it.
    """
    where = workspace(data_root, cache)
    if format_ in MODELS:
        from zslpipe.workflows.export_run import export_run

        made = export_run(where, what, out, format_=format_, seed=seed, images=images)
        if json_:
            print_json(made.as_json())
            return
        for path in made.files:
            click.echo(f"wrote    {path}")
        found = made.check
        click.echo(
            f"check    {found.images} images, {found.same} named alike; scores differ by at most {found.score:.2g} "
            f"(their spread is {found.spread:.2g}), probabilities by {found.probability:.2g}"
        )
        click.echo(f"speed    {found.rate:g} images/s, in Python {found.python_rate:g}")
        return
    from zslpipe.workflows.convert import export_store

    done = export_store(where, what, out, format_=format_, tap=tap, drop_failed=drop_failed)
    if json_:
        print_json({"files": done.files, "rows": len(done.rows), "left_out": done.left_out.tolist()})
        return
    for path in done.files:
        click.echo(f"wrote    {path}")
    click.echo(f"rows     {len(done.rows)}{f', {len(done.left_out)} left out' if len(done.left_out) else ''}")
