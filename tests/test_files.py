"""Files appear whole or not at all."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.files import (
    atomic_text,
    atomic_write,
    read_json,
    remove_folder,
    sha256_file,
    sha256_json,
    sha256_rows,
    write_arrays,
    write_json,
    write_text,
)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with atomic_write(path) as stream:
        stream.write(b"half")
        assert not path.exists()
        stream.write(b" whole")
    assert path.read_bytes() == b"half whole"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, OSError])
def test_what_fails_leaves_what_was_there(tmp_path: Path, problem: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "before")
    with pytest.raises(problem), atomic_write(path) as stream:  # noqa: PT012
        stream.write(b"after")
        raise problem
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_reported_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, 2.5], "a": "größer"})
    write_json(tmp_path / "b.json", {"a": "größer", "b": [1, 2.5]})
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")
    assert read_json(tmp_path / "a.json") == {"a": "größer", "b": [1, 2.5]}
    assert sha256_json({"x": 1, "y": 2}) == sha256_json(json.loads('{"y": 2, "x": 1}'))
    assert sha256_json({"x": 1}) != sha256_json({"x": 2})


def test_arrays_can_be_read_without_unpickling(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", x=np.eye(2), names=np.array(["a", "b"]))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["x"], np.eye(2))
        assert file["names"].tolist() == ["a", "b"]


def test_text_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with atomic_text(path) as stream:
        stream.write("δ,é\r\n")
        assert not path.exists()
    assert path.read_bytes() == "δ,é\r\n".encode()
    with pytest.raises(ValueError, match="stop"), atomic_text(path) as stream:  # noqa: PT012
        stream.write("half")
        raise ValueError("stop")
    assert path.read_bytes() == "δ,é\r\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (4, 3)])
def test_the_hash_of_rows_is_that_of_their_json(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert sha256_rows(matrix) == sha256_json(matrix.tolist())


def test_a_folder_that_another_process_sweeps_too_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "latest.safetensors").touch()
    unlink = os.unlink

    def swept_first(*arguments: Any, **options: Any) -> None:
        unlink(*arguments, **options)
        monkeypatch.setattr(os, "unlink", unlink)
        raise FileNotFoundError

    monkeypatch.setattr(os, "unlink", swept_first)
    remove_folder(tmp_path / "checkpoint")
    assert list(tmp_path.iterdir()) == []
