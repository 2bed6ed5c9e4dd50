"""The tables of the README and docs/ match the result files, and their commands, heads and links exist."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

from zslpipe.cli import VERBS, main
from zslpipe.heads import HEADS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
README = PAGES[0].read_text(encoding="utf-8")
COMMAND = re.compile(r"^ +(?:\S+/)?zslpipe ([^#\n]*)", re.MULTILINE)  # in a code block
INLINE = re.compile(r"`zslpipe ([a-z][^`]*)`")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "benchmarks" / "readme_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_page
def test_tables_match_the_result_files(page: Path, tables: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.with_tables(text) == text, "run python benchmarks/readme_table.py"


def test_every_table_of_real_results_is_in_the_docs(tables: ModuleType) -> None:
    marked = {name for page in PAGES for _, name, _ in tables.MARKED.findall(page.read_text(encoding="utf-8"))}
    assert marked >= {file.name for file in tables.RESULTS.glob("real-*.csv")}


@each_page
def test_commands_and_options_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in [*COMMAND.findall(text), *INLINE.findall(text)]:
        words = line.split()
        assert words[0] in VERBS, line
        command = main.get_command(click.Context(main), words[0])
        if isinstance(command, click.Group):
            assert words[1] in command.commands, line
            command = command.commands[words[1]]
        assert command is not None
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        assert {w.split("=")[0] for w in words if w.startswith("--")} <= known, line


def test_commands_are_found() -> None:
    assert len(COMMAND.findall(README)) > 10
    assert INLINE.findall("run `zslpipe cache ls` now") == ["cache ls"]


def test_the_table_of_heads_is_complete() -> None:
    section = README.split("\n## Heads\n")[1].split("\n## ")[0]
    cells = " ".join(re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE))
    assert set(re.findall(r"`(\S+)`", cells)) == {
        name for name in HEADS if HEADS[name].__module__.startswith("zslpipe.")
    }


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles], target


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_test_line_is_what_ci_runs() -> None:
    line = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    assert line in README
    assert line in (ROOT / ".ci" / "run").read_text().replace("install -q -e", "install -e")
