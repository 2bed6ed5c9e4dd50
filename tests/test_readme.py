"""The README's tables are those of the result files, and its commands are those of the program."""

import importlib.util
import re
from pathlib import Path

import click

from zslpipe.cli import VERBS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_tables_are_those_of_the_result_files() -> None:
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "benchmarks" / "readme_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.MARKED.search(README)
    assert module.with_tables(README) == README


def test_every_verb_in_the_readme_exists() -> None:
    used = set(re.findall(r"^ +(?:\S+/)?zslpipe ([a-z-]+)", README, re.MULTILINE))
    assert used
    assert used <= set(VERBS)


def test_every_option_in_the_readme_exists() -> None:
    for line in re.findall(r"^ +(?:\S+/)?zslpipe ([^#\n]*)", README, re.MULTILINE):
        words = line.split()
        command = main.get_command(click.Context(main), words[0])
        if isinstance(command, click.Group):
            command = command.commands[words[1]]
        assert command is not None
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        assert {w.split("=")[0] for w in words if w.startswith("--")} <= known, line


def test_the_test_line_is_what_ci_runs() -> None:
    line = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    assert line in README
    assert line in (ROOT / ".ci" / "run").read_text().replace("install -q -e", "install -e")
