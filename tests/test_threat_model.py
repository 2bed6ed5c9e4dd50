"""Every promise of the threat model names a test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
TESTS = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_the_test_exists(file: str, name: str) -> None:
    assert f"def {name or 'test_'}" in (ROOT / file).read_text()


def test_every_row_names_one() -> None:
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| ") and not re.match(r"\| (---|input|promise)", line)
    ]
    assert len(rows) == len(TESTS) > 20
    assert all("`tests/" in row for row in rows)


def test_every_row_belongs_to_a_table() -> None:
    above = ""
    for line in PAGE.splitlines():
        assert not line.startswith("| ") or above.startswith("|") or line.startswith(("| input", "| promise")), line
        above = line
