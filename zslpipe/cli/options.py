"""Options that several commands share, examples in their help, and how results are printed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zslpipe.workflows.workspace import Workspace

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)


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


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_pairs(pairs: Mapping[str, Any], indent: int = 0) -> None:
    """One line per pair, with the values below each other."""
    width = max(map(len, pairs), default=0)
    for key, value in pairs.items():
        shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
        click.echo(f"{'':{indent}s}{key:{width}s}  {shown}")


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs as a dictionary; a value that is JSON is read as JSON, any other as text."""
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
