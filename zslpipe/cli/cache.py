"""zslpipe cache"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.options import as_json, places, print_json, workspace


@click.group("cache")
def command() -> None:
    """Look after stores: ls, info, verify, repair, rm."""


@command.command("ls")
@places
@as_json
def ls(data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """List stores and runs, newest first."""
    from zslpipe.workflows.cache import listing

    rows = listing(workspace(data_root, cache))
    if json_:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['kind']:6s} {row['name']:58s} {row['size_mb']:>9.1f} MB  {row['state']}")
    if not rows:
        click.echo("The cache is empty: 'zslpipe extract' or 'zslpipe import' makes a store.")


@command.command("info")
@click.argument("store", required=False)
@places
@as_json
def info(store: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Say what a store holds and what made it."""
    from zslpipe.workflows.cache import describe

    found = describe(workspace(data_root, cache), store)
    if json_:
        print_json(found)
        return
    _print_nested(found)


@command.command("verify")
@click.argument("store", required=False)
@places
@as_json
def verify(store: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Re-hash a store, or all of them; exit code 1 where any is damaged."""
    from zslpipe.workflows.cache import verify_stores

    found = verify_stores(workspace(data_root, cache), store)
    if json_:
        print_json({name: [str(d) for d in damages] for name, damages in found.items()})
    else:
        for name, damages in found.items():
            click.echo(f"{name}: {'whole' if not damages else f'{len(damages)} damaged'}")
            for damage in damages:
                click.echo(f"  {damage}")
    if any(found.values()):
        raise SystemExit(1)


@command.command("repair")
@click.argument("store", required=False)
@places
@as_json
def repair(store: str | None, data_root: Path | None, cache: Path | None, json_: bool) -> None:
    """Extract the damaged pieces of a store again, and no others."""
    from zslpipe.workflows.cache import repair_store

    done = repair_store(workspace(data_root, cache), store)
    if json_:
        print_json(done)
    else:
        click.echo(f"{done['store']}: {done['damaged']} pieces were damaged, {done['rows']} rows extracted again")


@command.command("rm")
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@places
def rm(names: tuple[str, ...], yes: bool, data_root: Path | None, cache: Path | None) -> None:
    """Delete stores or runs."""
    from zslpipe.workflows.cache import find, remove

    place = workspace(data_root, cache)
    paths = [find(place, name) for name in names]
    if not yes:
        click.confirm(f"Delete {', '.join(path.name for path in paths)}?", abort=True)
    for path in paths:
        remove(path)
        click.echo(f"deleted  {path}")


def _print_nested(value: dict[str, Any], indent: int = 0) -> None:
    for key, item in value.items():
        if isinstance(item, dict):
            click.echo(f"{' ' * indent}{key}")
            _print_nested(item, indent + 2)
        else:
            click.echo(f"{' ' * indent}{key:{24 - indent}s} {item}")
