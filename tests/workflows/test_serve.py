"""zslpipe serve: what is wrong is said before anything is loaded."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.workflows.serve import LIBRARIES, hosts_of, is_local


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_absent_library_is_asked_for(library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, library, None)
    done = CliRunner().invoke(main, ["serve", "--cache", str(tmp_path)])
    assert done.exit_code == 2
    assert f"zslpipe serve needs {library}: pip install 'zslpipe[serve]'." in done.output


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("fastapi_offline")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = CliRunner().invoke(main, ["serve", "--port", str(taken.getsockname()[1]), "--cache", str(tmp_path)])
    assert done.exit_code == 2
    assert "give another --port or --host" in done.output


def test_local_addresses() -> None:
    assert [is_local(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "192.168.1.2", "birds.example")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert hosts_of("0.0.0.0", []) is None
    assert "birds.example" in (hosts_of("0.0.0.0", ["Birds.example"]) or ())
    assert "evil.example" not in (hosts_of("127.0.0.1", []) or ())
