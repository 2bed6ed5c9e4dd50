"""zslpipe doctor says what is in use."""

import json
from importlib.metadata import version
from pathlib import Path

from click.testing import CliRunner

from zslpipe import __version__
from zslpipe.cli import main


def test_versions_and_folders(tmp_path: Path) -> None:
    line = ["doctor", "--cache", str(tmp_path), "--data-root", str(tmp_path / "gone")]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    told = dict(row.split(maxsplit=1) for row in done.stdout.splitlines() if not row.startswith(("note", "data root")))
    assert told["zslpipe"] == __version__
    assert told["torch"] == version("torch")
    assert told["cache"] == str(tmp_path)
    assert f"note: the data root {tmp_path / 'gone'} is not there yet" in done.stdout
    found = json.loads(CliRunner().invoke(main, [*line, "--json"]).stdout)
    assert found["data root"] == str(tmp_path / "gone")
