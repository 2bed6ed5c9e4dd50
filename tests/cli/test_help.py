"""Every verb explains itself, and does so without loading what it would need to work."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

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
