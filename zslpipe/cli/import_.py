"""zslpipe import"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe import res101.mat --dataset cub",
    "zslpipe import regions.h5 --key feature_map --dtype float16 --dataset awa2 --name resnet101-finetuned",
    "zslpipe import features.npy --tap global --dataset ./my-images --class-table ./tables",
)


def read_grid(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """ "7x10" to (7, 10)."""
    if value is None:
        return None
    height, cross, width = value.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise click.BadParameter(f"'{value}' is not HEIGHTxWIDTH, such as 7x10.")
    return int(height), int(width)


@click.command("import", epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option("--dataset", required=True, help="Dataset whose images the rows describe.")
@click.option("--class-table", type=PATH, help="Class table of an image folder, or the folder it is in.")
@click.option("--tap", help="Kind of features: global, region or trunk.", show_default="by their shape")
@click.option("--key", help="Name of the variable with the features.", show_default="features and other usual names")
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32"]),
    help="Type of the stored features.",
    show_default="as in the file",
)
@click.option(
    "--compression", type=click.Choice(["zstd"]), help="Smaller files that are slower to read.", show_default="none"
)
@click.option(
    "--grid", metavar="HxW", callback=read_grid, help="Rows and columns of the regions.", show_default="square"
)
@click.option("--name", help="Name of the backbone, for tables.", show_default="the file's name")
@places
@as_json
def command(
    files: tuple[Path, ...], dataset: str, data_root: Path | None, cache: Path | None, json_: bool, **options: Any
) -> None:
    """Make a store of features extracted elsewhere.

    FILES are .mat (v5, v7.3), .h5, .npy or .npz. Labels are checked against the dataset; rows
    that are named are put in its order.
    """
    from zslpipe.workflows.convert import import_store

    store = import_store(workspace(data_root, cache), files, dataset, **options)
    taps = {tap: [len(store.status), *spec.shape] for tap, spec in store.taps.items()}
    if json_:
        print_json({"store": str(store.path), "fingerprint": store.fingerprint, "taps": taps})
        return
    click.echo(f"store    {store.path}")
    moved = store.provenance["recorded"].get("reordered", [])
    for tap, shape in taps.items():
        note = f" (rows put in the order of {store.dataset}, by their names)" if tap in moved else ""
        click.echo(f"{tap:8s} {' x '.join(map(str, shape))}{note}")
