"""Shared by the fault tests."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def files() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder, as bytes."""

    def read(root: Path) -> dict[str, bytes]:
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}

    return read
