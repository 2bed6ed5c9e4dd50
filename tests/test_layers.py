"""The rooms of the house: a room imports from the ones before it and from none behind it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "zslpipe"
ROOMS = [
    "data",
    "demo",
    "backbones",
    "store",
    "extract",
    "losses",
    "training",
    "parts",
    "heads",
    "evaluation",
    "selection",
    "report",
    "serving",
    "workflows",
    "cli",
]  # in the direction in which the data flows
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE)


def rooms_imported(source: str) -> set[str]:
    """The rooms of zslpipe that a module's import statements name, those inside functions included."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {n.split(".")[1] for n in names if n.startswith("zslpipe.")} & set(ROOMS)


def test_rooms_are_all_known() -> None:
    assert {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()} == set(ROOMS)


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(file: Path) -> None:
    room = file.relative_to(PACKAGE).parts[0]
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    assert rooms_imported(file.read_text()) <= allowed


def test_the_check_sees_a_breach() -> None:
    assert rooms_imported("def f():\n    from zslpipe.cli import main\n") == {"cli"}
