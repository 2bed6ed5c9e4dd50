"""zslpipe data"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = {
    "data": examples("zslpipe data list", "zslpipe data check cub", "zslpipe data init ./my-images"),
    "list": examples("zslpipe data list", "zslpipe data list --data-root /datasets --json"),
    "check": examples("zslpipe data check cub", "zslpipe data check ./my-images --class-table ./tables"),
    "init": examples(
        "zslpipe data init ./my-images",
        "zslpipe data init ./my-images --attributes stripes,wings,'long neck'",
        "zslpipe data check ./my-images",
    ),
    "table": examples(
        "zslpipe data table cub ./birds --out ./tables",
        "zslpipe extract --backbone resnet101 --dataset ./birds --class-table ./tables",
    ),
}


@click.group("data", epilog=EXAMPLES["data"])
def command() -> None:
    """List and check datasets; write class tables."""


@command.command("list", epilog=EXAMPLES["list"])
@places
@as_json
def list_(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """List the known datasets and which of their files are present."""
    from zslpipe.data.overview import list_datasets

    rows = list_datasets(workspace(data_root, cache).data_root)
    if json_:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']:6s} {row['state']}")


@command.command("check", epilog=EXAMPLES["check"])
@click.argument("dataset")
@click.option("--class-table", type=PATH, help="Class table of an image folder, or the folder it is in.")
@places
@as_json
def check(dataset: str, class_table: Path | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Check a dataset and describe it.

    DATASET is a known name or an image folder. Exit code 2 if anything is wrong with it.
    """
    from zslpipe.data.overview import check_dataset

    place = workspace(data_root, cache)
    found = check_dataset(dataset, data_root=place.data_root, tables=class_table, cache=place.cache)
    if json_:
        print_json(found)
    else:
        for key, value in found.items():
            if isinstance(value, list):
                for line in value:
                    click.echo(f"{key:12s} {line}")
            else:
                click.echo(f"{key:12s} {value}")
    if found["problems"]:
        raise SystemExit(2)


@command.command("init", epilog=EXAMPLES["init"])
@click.argument("images", type=PATH)
@click.option("--attributes", default="", help="Names of the attributes, separated by commas.")
@click.option("--out", type=PATH, help="Folder for classes.csv.", show_default="IMAGES")
@places
@as_json
def init(
    images: Path, attributes: str, out: Path | None, data_root: Path | None, cache: Path | None, json_: bool
) -> None:
    """Write a class table to fill in.

    IMAGES is a folder with one subfolder of images per class.
    """
    from zslpipe.data.init_table import init_class_table

    names = [name.strip() for name in attributes.split(",")] if attributes else []
    file, classes = init_class_table(images, names, out)
    if json_:
        print_json({"file": str(file), "classes": classes, "attributes": names})
        return
    click.echo(f"wrote    {file} ({classes} classes)")
    click.echo(
        "Fill in a number for every class and attribute (also 0,5, 50 %, yes, no or x). "
        "Add lines for classes that you have no images of: they can be predicted too."
    )


@command.command("table", epilog=EXAMPLES["table"])
@click.argument("dataset")
@click.argument("images", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for classes.csv and images.csv.")
@places
@as_json
def table(dataset: str, images: Path, out: Path, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Write the class table of an image folder.

    IMAGES is a folder whose classes belong to the known DATASET.
    """
    from zslpipe.workflows.convert import write_class_table

    written = write_class_table(workspace(data_root, cache), dataset, images, out)
    if json_:
        print_json(written)
        return
    for path in written["files"]:
        click.echo(f"wrote    {path}")
    for note in written["notes"]:
        click.echo(note)
