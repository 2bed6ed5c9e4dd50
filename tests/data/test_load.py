from collections.abc import Callable
from pathlib import Path

import pytest

from zslpipe.data.known import FOLDERS, IMAGE_ARCHIVES, IMAGE_FOLDERS
from zslpipe.data.load import DATASETS, default_data_root, load_benchmark
from zslpipe.errors import InputError

Make = Callable[..., Path]


def test_every_known_name_is_described() -> None:
    assert set(DATASETS) == {*FOLDERS, "demo"}
    assert FOLDERS.keys() == IMAGE_FOLDERS.keys() == IMAGE_ARCHIVES.keys()


def test_loads_names_folders_and_the_xlsa17_layout(xlsa: Make, birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = xlsa()
    assert load_benchmark("cub", root).name == "cub"
    monkeypatch.setenv("ZSLPIPE_DATA", str(root))
    assert load_benchmark("cub").name == "cub"
    assert load_benchmark(str(root / "xlsa17" / "data" / "CUB")).name == "CUB"
    assert load_benchmark(str(birds)).name == "birds"
    monkeypatch.chdir(birds.parent)
    assert load_benchmark("birds").name == "birds"  # a folder needs no separator


def test_labels_may_be_read_from_another_file(xlsa: Make, tmp_path: Path) -> None:
    root = xlsa()
    (root / "xlsa17" / "data" / "CUB" / "res101.mat").rename(tmp_path / "mine.mat")
    assert "mine.mat" in load_benchmark("cub", root, features_file=tmp_path / "mine.mat").sources


def test_the_default_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZSLPIPE_DATA", raising=False)
    assert default_data_root() == Path("data")


def test_unknown_names_and_missing_folders_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown dataset 'awa': did you mean awa"):
        load_benchmark("awa", tmp_path)
    with pytest.raises(InputError, match=r"folder not found: .*gone"):
        load_benchmark(str(tmp_path / "gone"))
