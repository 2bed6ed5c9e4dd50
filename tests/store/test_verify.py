"""Any damage to any file of a store is found and attributed to the right piece; repair undoes exactly that."""

import json
import shutil

import numpy as np
import pytest

from zslpipe.errors import InputError, OtherVersionError
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.repair import repair
from zslpipe.store.sealed import seal, sealed_bytes
from zslpipe.store.verify import verify


def flip(path, rng):
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def cut(path, rng):
    with path.open("r+b") as stream:
        stream.truncate(int(rng.integers(path.stat().st_size)))


def zero(path, rng):
    """A page that never reached the disk."""
    content = bytearray(path.read_bytes())
    start = int(rng.integers(max(1, len(content) - 64)))
    page = bytes(len(content[start : start + 64]))
    content[start : start + 64] = page if any(content[start : start + 64]) else b"\1" * len(page)
    path.write_bytes(content)


def lengthen(path, rng):
    with path.open("ab") as stream:
        stream.write(b"\0")


def lose(path, rng):
    path.unlink()


HARMS = (flip, flip, flip, cut, zero, lengthen, lose)


def blamed(root, name):
    """(piece, part) of a file by its name alone."""
    if name.startswith("pieces/"):
        return int(name[7:13]), "record"
    if "/c." in name:
        return int(name.split("/c.")[1].split(".")[0]), name.split("/")[1]
    return None, "metadata"


@pytest.mark.parametrize(("compression", "rounds"), [(None, 300), ("zstd", 60)])
def test_every_harm_is_found_and_undone(tmp_path, make, fill, files, benchmark_, compression, rounds):
    rng = np.random.default_rng(7)
    whole = fill(make(tmp_path / "whole", 16, compression)).path
    assert verify(whole) == []
    before, found = files(whole), 0
    names = sorted(set(before) - {".lock"})
    harmed = tmp_path / "harmed"
    shutil.copytree(whole, harmed)
    for turn in range(rounds):
        name = names[turn % len(names)]
        harm = HARMS[turn % len(HARMS)]
        harm(harmed / name, rng)
        damages = verify(harmed)
        assert damages, f"{harm.__name__} in {name} was not found"
        assert {(d.piece, d.part) for d in damages} == {blamed(harmed, name)}, (harm.__name__, name)
        assert damages[0].file == name
        found += 1
        if turn % 3 == 0:
            done = repair(harmed, damages, benchmark_)
            piece, _ = blamed(harmed, name)
            assert done.pieces == ([] if piece is None else [piece])
            store = FeatureStore.open(harmed)
            assert store.missing_pieces() == done.pieces
            fill(store)
            assert files(harmed) == before
        else:
            (harmed / name).write_bytes(before[name])
    assert found == rounds
    assert verify(harmed) == []


def test_unknown_files_are_found_and_removed(full, files):
    before = files(full.path)
    root = full.path
    (root / "notes").mkdir()
    (root / "notes" / "deep").mkdir()
    for name in (
        "pieces/000009.json",
        "pieces/.000001.json.tmp",
        "features.zarr/region/c.7.0.0",
        "notes/deep/x",
        ".lock",
    ):
        (root / name).write_bytes(b"junk")
    (root / "features.zarr" / "link").symlink_to("/etc/hostname")
    damages = verify(full)
    assert {d.part for d in damages} == {"junk"}
    assert sorted(d.file for d in damages) == sorted(
        [
            ".lock",
            "features.zarr/link",
            "features.zarr/region/c.7.0.0",
            "notes",
            "notes/deep",
            "notes/deep/x",
            "pieces/.000001.json.tmp",
            "pieces/000009.json",
        ]
    )
    assert repair(root).removed
    assert verify(root) == []
    assert files(root) == before


def test_an_unfinished_extraction_is_no_damage(tmp_path, make, fill):
    store = make(tmp_path / "s")
    assert verify(store) == []
    fill(store, [1])
    (store.path / "features.zarr" / "region" / "c.0.0.0").write_bytes(b"a piece whose record was never written")
    (store.path / "pieces" / ".000000.json.tmp").write_bytes(b"{")
    assert verify(store) == []
    (store.path / "features.zarr" / "region" / "c.1.0.0").write_bytes(b"harm")
    assert [(d.piece, d.part, d.rows) for d in verify(store)] == [(1, "region", range(32, 64))]


def test_several_harms_at_once(full, fill, files):
    before = files(full.path)
    for name in ("pieces/000000.json", "features.zarr/region/zarr.json"):
        (full.path / name).unlink()
    (full.path / "store.json").write_bytes(b"{}")
    flip(full.path / "features.zarr" / "global" / "c.3.0", np.random.default_rng(0))
    assert {(d.piece, d.file) for d in verify(full.path)} >= {(None, "store.json"), (0, "pieces/000000.json")}
    done = repair(full.path)
    assert done.pieces == [0, 3]
    fill(FeatureStore.open(full.path))
    assert files(full.path) == before


def test_pieces_of_another_store_are_not_taken(tmp_path, make, fill, contents):
    one, other = fill(make(tmp_path / "one")), fill(make(tmp_path / "other", 40))
    shutil.copy(other.path / "pieces" / "000001.json", one.path / "pieces" / "000001.json")
    assert [(d.piece, d.part) for d in verify(one)] == [(1, "record")]
    shutil.copy(one.path / "pieces" / "000002.json", one.path / "pieces" / "000001.json")
    assert [(d.piece, d.what) for d in verify(one)] == [(1, "belongs to another piece or store")]
    shutil.copy(one.path / "complete.json", one.path / "pieces" / "000001.json")
    assert [(d.piece, d.what) for d in verify(one)] == [(1, "belongs to another piece or store")]


def test_repair_reports_what_it_cannot_do(full, benchmark_):
    from dataclasses import replace

    (full.path / "benchmark.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"benchmark.npz is damaged: give the dataset \(tiny\)"):
        repair(full.path)
    with pytest.raises(InputError, match="whose images are not those of tiny"):
        repair(full.path, benchmark=replace(benchmark_, image_ids=tuple(reversed(benchmark_.image_ids))))
    repair(full.path, benchmark=benchmark_)
    assert verify(full.path) == []
    for name in ("store.json", "features.zarr/zarr.json"):
        (full.path / name).write_bytes(b"{}")
    assert {d.file for d in verify(full.path)} == {"store.json", "features.zarr/zarr.json"}
    with pytest.raises(InputError, match="lost both copies"):
        repair(full.path)


def test_verifying_without_a_store_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a feature store"):
        verify(tmp_path)


def test_a_store_of_a_later_version_is_left_as_it_is(full):
    """Both copies of the header are sealed, so that nothing seems to be damaged but the format."""
    record = json.loads((full.path / "store.json").read_text())
    header = {**record["header"], "format": 2}
    del header["sha256"]
    (full.path / "store.json").write_bytes(sealed_bytes({"header": seal(header), "files": record["files"]}))
    before = contents_of(full.path)
    for use in (FeatureStore.open, verify, repair):
        with pytest.raises(OtherVersionError, match="it has format 2, not 1"):
            use(full.path)
    assert contents_of(full.path) == before


def contents_of(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
