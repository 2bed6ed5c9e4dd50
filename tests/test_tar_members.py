"""Files in .tar shards: found, read and hashed like files in a folder, and refused in a sentence if damaged."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from zslpipe import tar_members
from zslpipe.errors import InputError
from zslpipe.tar_members import file_exists, member_hash, read_member, read_shard, sample_of, split_member

FILES = {"a/1.jpg": b"one", "a/1.cls": b"zebra\n", "b/long " + 120 * "x" + ".jpg": b"two" * 1000, "b/3.png": b""}


def write_tar(path: Path, files: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format) as shard:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            shard.addfile(about, io.BytesIO(content))
    os.utime(path, (1e9, 1e9))  # settled
    return path


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "_known", {})
    tar_members._places.cache_clear()
    tar_members._rows.cache_clear()


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("indexed", [True, False])
def test_members_are_read_by_their_place(tmp_path: Path, format: int, indexed: bool) -> None:
    shard = write_tar(tmp_path / "0.tar", FILES, format)
    if indexed:
        assert read_shard(shard).names == tuple(FILES)
    for name, content in FILES.items():
        assert split_member(shard / name) == (shard, name)
        assert read_member(shard, name) == content
        assert member_hash(shard, name) == hashlib.sha256(content).hexdigest()
        assert file_exists(shard / name)
    assert not file_exists(shard / "a/2.jpg")
    with pytest.raises(FileNotFoundError):
        member_hash(shard, "a/2.jpg")
    assert split_member(tmp_path / "a.jpg") is None
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "folder.tar" / "a.jpg").write_bytes(b"x")
    assert file_exists(tmp_path / "folder.tar" / "a.jpg")


def test_labels_belong_to_samples(tmp_path: Path) -> None:
    assert read_shard(write_tar(tmp_path / "0.tar", FILES)).labels == {"a/1": "zebra"}
    assert sample_of("a.b/1.left.jpg") == "a.b/1"


def test_a_shard_is_read_again_only_if_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_tar(tmp_path / "0.tar", FILES)
    first = read_shard(shard, tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(tar_members, "_index", None)
        again = read_shard(shard, tmp_path / "cache")
    assert (again.names, again.labels) == (first.names, first.labels)
    assert (again.places == first.places).all()
    assert (again.hashes == first.hashes).all()
    write_tar(shard, {"c.jpg": b"three"})
    os.utime(shard, (1e9 + 1, 1e9 + 1))
    assert read_shard(shard, tmp_path / "cache").names == ("c.jpg",)
    for kept in (tmp_path / "cache").iterdir():
        kept.write_bytes(b"damaged")
    assert read_shard(shard, tmp_path / "cache").names == ("c.jpg",)


def test_a_leading_dot_is_no_folder(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "0.tar", {"./a/1.jpg": b"one"})
    assert read_member(shard, "a/1.jpg") == b"one"
    assert read_shard(shard).names == ("a/1.jpg",)


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "b/../../a.jpg"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads out of it"):
        read_shard(write_tar(tmp_path / "0.tar", {name: b"x"}))


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"two members a\.jpg"):
        read_shard(write_tar(tmp_path / "0.tar", {"b.jpg": b"x", "a.jpg": b"x", "./a.jpg": b"x"}))


@pytest.mark.parametrize("keep", [700, 1500])
def test_a_shard_that_is_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    shard = write_tar(tmp_path / "0.tar", {"a.jpg": 3000 * b"x"})
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"0\.tar is not a whole \.tar file"):
        read_shard(shard)


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(b"hello" * 1000)
    with pytest.raises(InputError, match="not a whole"):
        read_shard(tmp_path / "0.tar")
