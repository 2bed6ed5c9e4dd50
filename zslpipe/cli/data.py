"""zslpipe data"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.group("data")
def command() -> None:
    """Look at data sets: list, check, table."""


@command.command("list")
@places
@as_json
def list_(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """List the known data sets and what of them is here."""
    from zslpipe.data.overview import list_datasets

    rows = list_datasets(workspace(data_root, cache).data_root)
    if json_:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']:6s} {row['state']}")


@command.command("check")
@click.argument("dataset")
@click.option("--class-table", type=PATH, help="Folder of classes.csv (and images.csv) for an image folder.")
@places
@as_json
def check(dataset: str, class_table: Path | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Say what a data set (a name or an image folder) holds and what is wrong with it; exit code 2 where it is."""
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


@command.command("table")
@click.argument("dataset")
@click.argument("images", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder to write classes.csv and images.csv to.")
@places
@as_json
def table(dataset: str, images: Path, out: Path, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Write the class table of an IMAGES folder whose classes are some of a known DATASET's."""
    from zslpipe.workflows.convert import write_class_table

    written = write_class_table(workspace(data_root, cache), dataset, images, out)
    if json_:
        print_json(written)
        return
    for path in written["files"]:
        click.echo(f"wrote    {path}")
    for note in written["notes"]:
        click.echo(note)
