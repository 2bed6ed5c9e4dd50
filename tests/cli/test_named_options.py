"""No text of the package names an option that does not exist, or that the command it speaks of does not have."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import zslpipe
from zslpipe.cli import VERBS, main

PACKAGE = Path(zslpipe.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# "zslpipe data check X --class-table Y", "extract with --taps", "train it with --set", "`train-head --semantics"
SPOKEN = {"train": "train-head", "evaluate": "eval"}
COMMAND = re.compile(
    rf"(?<![\w-])({'|'.join([*VERBS, *SPOKEN])})(?![\w-])"
    r"(?: (?!or |and |--)[^\s,;:'`]+){0,4}"  # a few words
    r"((?: --[a-z]\S*(?: [^\s,;:'`-]\S*)?)+)"  # options, each with a value or without
)
OF_CLICK = {"--help", "--version"}


@cache
def options() -> dict[str, set[str]]:
    """The options of every verb, those of its commands included."""

    def of(command: click.Command) -> set[str]:
        own = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        return own.union(*map(of, command.commands.values())) if isinstance(command, click.Group) else own

    commands = {verb: main.get_command(click.Context(main), verb) for verb in VERBS}
    return {verb: of(command) for verb, command in commands.items() if command is not None}


def texts(source: str) -> Iterator[str]:
    """All string literals of a module, docstrings included; what an f-string fills in is an X."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def unknown_options(text: str) -> set[str]:
    """Options in a text that no command has, or not the one that they are said to be of."""
    everywhere = set().union(*options().values()) | OF_CLICK
    found = {option for option in OPTION.findall(text) if option not in everywhere}
    for verb, rest in COMMAND.findall(text):
        verb = SPOKEN.get(verb, verb)
        found |= {f"{verb} {option}" for option in set(OPTION.findall(rest)) - options()[verb] - OF_CLICK}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_option_that_a_text_names_exists(file: Path) -> None:
    assert [found for text in texts(file.read_text(encoding="utf-8")) for found in unknown_options(text)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("use --colour red", {"--colour"}),
        ("train with --seed 3", {"train-head --seed"}),
        ("run 'zslpipe data check X --backbone Y' first", {"data --backbone"}),
        ("`train-head --semantics sentences`", set()),
        ("train with --selection unseen-class, or evaluate with --selection oracle", set()),
        ("zslpipe derive RUN --seed 1 --final-only", set()),
        ("extract with --taps global or use another head", set()),
        ("a dash -- and a range 1--2", set()),
    ],
)
def test_what_counts_as_naming_an_option(text: str, found: set[str]) -> None:
    assert unknown_options(text) == found


def test_options_are_found() -> None:
    named = [o for file in FILES for text in texts(file.read_text(encoding="utf-8")) for o in OPTION.findall(text)]
    assert len(named) > 100
    assert {"--key", "--dtype"} <= options()["import"]
