"""Full or failing disks: one sentence, and a store that can be resumed."""

import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest

from zslpipe.errors import ZslpipeError
from zslpipe.store.exporting import export_h5, export_mat, export_npy
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.verify import verify

pytestmark = pytest.mark.faults

TAPS = {"global": TapSpec((512,), "float32"), "region": TapSpec((4, 1024), "float16")}  # 10 KiB a row
PROVENANCE = {"fingerprinted": {"backbone": "fake"}, "recorded": {}}


def fill(store):
    for piece in store.missing_pieces():
        rows = store.piece_rows_of(piece)
        store.write_piece(piece, {t: np.full((len(rows), *s.shape), piece, s.dtype) for t, s in TAPS.items()})
    return store


def create(path, tiny):
    return FeatureStore.open_or_create(path, tiny[0], TAPS, PROVENANCE, 10)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 800 KiB, skipped if none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "none", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_reported_and_the_store_resumes(tmp_path, tiny, small_disk, files):
    expected = files(fill(create(tmp_path / "reference", tiny)).path)
    kept = -1
    for room in range(3):  # each time a little more room
        with pytest.raises(ZslpipeError, match=r"could not write piece .* \(No space left on device\): .* kept"):
            fill(create(small_disk / "s", tiny))
        store = FeatureStore.open(small_disk / "s")
        assert 0 < int((store.status == 1).sum()) < 120
        assert int((store.status == 1).sum()) > kept
        kept = int((store.status == 1).sum())
        assert verify(store) == []
        subprocess.run(["mount", "-o", f"remount,size={900 + 100 * room}k", small_disk], check=True)
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    fill(create(small_disk / "s", tiny))
    assert files(small_disk / "s") == expected


def test_no_room_for_the_store_itself(tiny, small_disk):
    (small_disk / "ballast").write_bytes(bytes(800 * 1024 - 8192))
    with pytest.raises(ZslpipeError, match=r"could not create the store .* \(No space left on device\)"):
        create(small_disk / "s", tiny)
    (small_disk / "ballast").unlink()
    assert create(small_disk / "s", tiny).missing_pieces() == list(range(12))


def test_no_room_for_an_export(tmp_path, tiny, small_disk):
    store = fill(create(tmp_path / "s", tiny))
    (small_disk / "ballast").write_bytes(bytes(700 * 1024))
    for export in (
        lambda: export_mat(store, small_disk / "out"),
        lambda: export_npy(store, small_disk / "out", "region"),
        lambda: export_h5(store, small_disk / "out" / "x.h5"),
    ):
        with pytest.raises(ZslpipeError, match="could not export"):
            export()
        assert not [p for p in (small_disk / "out").iterdir() if p.name not in ("labels.npy", "image_files.txt")]


def test_a_write_cut_in_the_middle(tmp_path, tiny, files):
    """A limit on the size of files stops a chunk half way."""
    expected = files(fill(create(tmp_path / "reference", tiny)).path)
    store = create(tmp_path / "s", tiny)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(ZslpipeError, match=r"could not write piece 0 of .* \(File too large\)"):
            fill(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert verify(store) == []
    assert not list(Path(store.path).rglob(".*.tmp"))
    fill(FeatureStore.open(store.path))
    assert files(store.path) == expected
