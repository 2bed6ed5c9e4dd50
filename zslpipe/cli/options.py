"""Options that several commands share, examples in their help, and how results are printed."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zslpipe.errors import InputError

if TYPE_CHECKING:
    from zslpipe.workflows.workspace import Workspace

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)
SCHEMA = 1  # of all --json results: raised when a key is removed, renamed or changes its meaning


def examples(*lines: str) -> str:
    """The end of a command's help (its `epilog`): examples, one command line each."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def plugins(command: Command) -> Command:
    """--plugin; the plugins are imported before the command runs."""
    return click.option(
        "--plugin",
        multiple=True,
        metavar="FILE|MODULE",
        expose_value=False,
        callback=_load_plugins,
        help="Python file or module that registers heads, semantics or backbones.",
    )(command)


def _load_plugins(context: click.Context, option: click.Parameter, names: tuple[str, ...]) -> None:
    if not names:
        return
    from zslpipe.plugins import load_plugin

    for name in names:
        load_plugin(name)


def places(command: Command) -> Command:
    """--data-root, --cache and --plugin."""
    for option in (
        plugins,
        _folder("--data-root", "ZSLPIPE_DATA", "./data", "Folder of the datasets."),
        _folder("--cache", "ZSLPIPE_CACHE", "./cache", "Folder of stores and runs."),
    ):
        command = option(command)
    return command


def _folder(name: str, variable: str, default: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, type=PATH, envvar=variable, show_envvar=True, show_default=default, help=text)


def as_json(command: Command) -> Command:
    return click.option("--json", "json_", is_flag=True, help="Print the result as JSON.")(command)


def print_json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Print an object, or a list of them; the key `schema` of each says which layout it has."""
    numbered: Any = _numbered(value) if isinstance(value, Mapping) else [_numbered(item) for item in value]
    click.echo(json.dumps(numbered, indent=1, ensure_ascii=False, default=str))


def _numbered(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, **value}


def print_notes(notes: Iterable[str]) -> None:
    """Print what a result lacks to standard error, where it is seen with --json too."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def print_pairs(pairs: Mapping[str, Any], indent: int = 0) -> None:
    """One line per pair, with the values below each other."""
    width = max(map(len, pairs), default=0)
    for key, value in pairs.items():
        shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
        click.echo(f"{'':{indent}s}{key:{width}s}  {shown}")


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs as a dictionary; a value that is JSON is read as JSON, any other as text."""
    return {key: _parse_value(value) for key, value in _split_pairs(pairs).items()}


def parse_grid(pairs: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """`key=value` pairs as fixed settings, and `key=value,value` pairs as lists of values to try.

    A comma within JSON (a list or a quoted text) does not separate values.
    """
    settings, grid = {}, {}
    for key, text in _split_pairs(pairs).items():
        value = _parse_value(text)
        if value == text and "," in text:
            grid[key] = [_parse_value(part.strip()) for part in text.split(",")]
        else:
            settings[key] = value
    return settings, grid


def _split_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    split: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"'{pair}' is not KEY=VALUE.")
        if key in split:
            raise InputError(f"{key} is given twice, as {split[key]} and as {value}: give it once.")
        split[key] = value
    return split


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def workspace(data_root: Path | None, cache: Path | None) -> "Workspace":
    from zslpipe.workflows.workspace import Workspace

    return Workspace.at(data_root, cache)
