"""A wheel holds the whole package and the recipes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

import zslpipe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of a wheel, built by the backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("zslpipe", "pipelines"):  # copied, since building leaves files behind
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(sources)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # those that the format requires
    assert citation["version"] == zslpipe.__version__
    assert citation["license"] in (ROOT / "LICENSE").read_text()
    assert citation["authors"][0]["name"].removeprefix("The ") in (ROOT / "LICENSE").read_text()


@pytest.mark.slow
def test_every_file_is_in_it(unpacked: Path) -> None:
    def files(folder: Path, *patterns: str) -> set[str]:
        return {str(p.relative_to(folder)) for pattern in patterns for p in folder.rglob(pattern)}

    assert files(unpacked / "zslpipe" / "pipelines", "*") == files(ROOT / "pipelines", "*")
    package = files(ROOT / "zslpipe", "*.py", "*.css", "*.js")
    assert files(unpacked / "zslpipe", "*.py", "*.css", "*.js") == package
    assert {p.name for p in unpacked.iterdir() if p.suffix != ".dist-info"} == {"zslpipe"}


@pytest.mark.slow
def test_its_recipes_are_found_by_name(unpacked: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zslpipe", "recipes", "remse/cub"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(unpacked)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(unpacked / "zslpipe" / "pipelines" / "remse" / "cub.yaml") in done.stdout
