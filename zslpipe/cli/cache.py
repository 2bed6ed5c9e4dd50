"""zslpipe cache"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.options import as_json, examples, places, print_json, workspace
from zslpipe.errors import UnknownNameError

EXAMPLES = {
    "cache": examples(
        "zslpipe cache ls", "zslpipe cache info", "zslpipe cache verify", "zslpipe cache rm sun-remse-20260101-120000"
    ),
    "ls": examples("zslpipe cache ls", "zslpipe cache ls --cache /scratch/cache --json"),
    "info": examples("zslpipe cache info", "zslpipe cache info cub-resnet101-1a2b3c4d --json"),
    "verify": examples("zslpipe cache verify", "zslpipe cache verify cub-resnet101-1a2b3c4d"),
    "repair": examples("zslpipe cache repair", "zslpipe cache repair cub-resnet101-1a2b3c4d --dataset cub"),
    "rm": examples("zslpipe cache rm sun-remse-20260101-120000", "zslpipe cache rm cub-resnet101-1a2b3c4d --yes"),
}


@click.group("cache", epilog=EXAMPLES["cache"])
def command() -> None:
    """List, verify, repair and delete stores and runs."""


@command.command("ls", epilog=EXAMPLES["ls"])
@places
@as_json
def ls(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """List stores, runs and leftovers of interrupted commands, newest first."""
    from zslpipe.workflows.listing import listing

    rows = listing(workspace(data_root, cache))
    if json_:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['kind']:10s} {row['name']:58s} {row['size_mb']:>9.1f} MB  {row['state']}")
    if not rows:
        click.echo("The cache is empty: 'zslpipe extract' or 'zslpipe import' makes a store.")


@command.command("info", epilog=EXAMPLES["info"])
@click.argument("store", required=False)
@places
@as_json
def info(store: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Describe a store: its rows, taps and provenance.

    Without a name: the newest store.
    """
    from zslpipe.workflows.cache import describe

    found = describe(workspace(data_root, cache), store)
    if json_:
        print_json(found)
        return
    _print_nested(found)


@command.command("verify", epilog=EXAMPLES["verify"])
@click.argument("name", required=False)
@places
@as_json
def verify(name: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Check the checksums of one store or run, or of all.

    Exit code 1 if any is damaged.
    """
    from zslpipe.workflows.cache import verify_all

    found = verify_all(workspace(data_root, cache), name)
    if json_:
        print_json({"damage": found})
    else:
        for place, damages in found.items():
            click.echo(f"{place}: {'intact' if not damages else f'{len(damages)} damaged'}")
            for damage in damages:
                click.echo(f"  {damage}")
    if any(found.values()):
        raise SystemExit(1)


@command.command("repair", epilog=EXAMPLES["repair"])
@click.argument("store", required=False)
@click.option("--dataset", help="Where to read a damaged benchmark from.", show_default="what the store was made from")
@places
@as_json
def repair(store: str | None, dataset: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Remake the damaged pieces of a store the way they were made: by extract, derive or import.

    Without a name: the newest store.
    """
    from zslpipe.workflows.cache import repair_store

    done = repair_store(workspace(data_root, cache), store, dataset)
    if json_:
        print_json(done)
    else:
        click.echo(f"{done['store']}: {done['damaged']} pieces were damaged, {done['rows']} rows made again")


@command.command("rm", epilog=EXAMPLES["rm"])
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@places
def rm(names: tuple[str, ...], yes: bool, data_root: Path | None, cache: Path | None) -> None:
    """Delete stores, runs or leftovers of interrupted commands, by name.

    Unknown names are reported at the end; the others are deleted.
    """
    from zslpipe.workflows.cache import find, remove

    place = workspace(data_root, cache)
    paths: list[Path] = []
    unknown: list[str] = []
    for name in names:
        try:
            paths.append(find(place, name))
        except UnknownNameError as problem:
            unknown.append(str(problem))
    if paths and not yes:
        click.confirm(f"Delete {', '.join(path.name for path in paths)}?", abort=True)
    for path in paths:
        remove(path)
        click.echo(f"deleted  {path}")
    if unknown:
        raise UnknownNameError(" ".join(unknown))


def _print_nested(value: dict[str, Any], indent: int = 0) -> None:
    for key, item in value.items():
        if isinstance(item, dict):
            click.echo(f"{' ' * indent}{key}")
            _print_nested(item, indent + 2)
        else:
            click.echo(f"{' ' * indent}{key:{24 - indent}s} {item}")
