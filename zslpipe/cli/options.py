"""Options that mean the same wherever they stand, and how results are printed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zslpipe.workflows.workspace import Workspace

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)


def places(command: Command) -> Command:
    """--data-root and --cache."""
    for option in (
        click.option(
            "--data-root", type=PATH, envvar="ZSLPIPE_DATA", help="Where data sets live. [ZSLPIPE_DATA, ./data]"
        ),
        click.option("--cache", type=PATH, envvar="ZSLPIPE_CACHE", help="Stores and runs. [ZSLPIPE_CACHE, ./cache]"),
    ):
        command = option(command)
    return command


def as_json(command: Command) -> Command:
    return click.option("--json", "json_", is_flag=True, help="Print the result as JSON.")(command)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs to a dictionary; values are read as JSON where they are JSON, else as text."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{pair}' is not key=value", param_hint="--set")
        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings


def workspace(data_root: Path | None, cache: Path | None) -> "Workspace":
    from zslpipe.workflows.workspace import Workspace

    return Workspace.at(data_root, cache)
