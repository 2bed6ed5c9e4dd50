"""zslpipe import"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option("--dataset", required=True, help="The data set whose images the rows are.")
@click.option("--class-table", type=PATH, help="Folder of classes.csv (and images.csv) for an image folder.")
@click.option("--tap", help="What the rows are: global, region or trunk; told by their shape where not given.")
@click.option("--name", help="What the features came from, as it shall stand in tables; the file's name.")
@places
@as_json
def command(
    files: tuple[Path, ...],
    dataset: str,
    class_table: Path | None,
    tap: str | None,
    name: str | None,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Make a store of features that others extracted: res101.mat, .h5, .npy, .npz."""
    from zslpipe.workflows.convert import import_store

    store = import_store(workspace(data_root, cache), files, dataset, class_table=class_table, tap=tap, name=name)
    taps = {tap: [len(store.status), *spec.shape] for tap, spec in store.taps.items()}
    if json_:
        print_json({"store": str(store.path), "fingerprint": store.fingerprint, "taps": taps})
        return
    click.echo(f"store    {store.path}")
    for tap_name, shape in taps.items():
        click.echo(f"{tap_name:8s} {' x '.join(map(str, shape))}")
