"""Every verb explains itself, and does so without loading what it would need to work."""

import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from zslpipe import plugins
from zslpipe.cli import VERBS, main

HEAVY = {"torch", "timm", "zarr", "numpy", "sklearn", "scipy", "PIL", "rich"}


def commands() -> list[list[str]]:
    """All command lines that can end in --help: the program, its verbs and theirs."""
    lines: list[list[str]] = [[]]
    for verb in VERBS:
        lines.append([verb])
        command = main.get_command(click.Context(main), verb)
        if isinstance(command, click.Group):
            lines += [[verb, sub] for sub in command.commands]
    return lines


@pytest.mark.parametrize("line", commands(), ids=" ".join)
def test_every_command_has_help(line: list[str]) -> None:
    result = CliRunner().invoke(main, [*line, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def examples_of(command: click.Command) -> list[str]:
    lines = (command.epilog or "").splitlines()
    assert lines[:2] == ["\b", "Examples:"], command.name
    return [line.strip() for line in lines[2:]]


@pytest.mark.parametrize("line", commands(), ids=" ".join)
def test_every_help_ends_with_examples_that_parse(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the command itself (of a group: of its commands), with options that exist and values that they take."""
    loaded: list[str] = []
    monkeypatch.setattr(plugins, "load_plugin", loaded.append)
    found = examples_of(resolve(line)[0])
    assert found
    assert any(example.startswith(" ".join(["zslpipe", *line])) for example in found)
    shown = CliRunner().invoke(main, [*line, "--help"]).output.rstrip().splitlines()
    assert [text.strip() for text in shown[-len(found) :]] == found  # each on a line of its own
    for example in found:
        words = shlex.split(example, comments=True)
        assert words[0] == "zslpipe"
        command, rest = resolve(words[1:])
        command.make_context(words[1], list(rest))
        assert loaded == ([rest[rest.index("--plugin") + 1]] if "--plugin" in rest else [])
        loaded.clear()


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that a line names, and the rest of the line."""
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    return command, words


def test_no_verb_loads_anything_heavy_for_its_help() -> None:
    script = (
        "import sys\nfrom zslpipe.cli import main, VERBS\n"
        "for verb in VERBS:\n"
        "    main([verb, '--help'], standalone_mode=False)\n"
        f"print('loaded:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(("typed", "meant"), [("extrct", "extract"), ("train", "train-head"), ("evaluate", "eval")])
def test_an_unknown_verb_is_answered_with_the_nearest(typed: str, meant: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main([typed])
    assert stop.value.code == 2
    assert meant in capsys.readouterr().err
