"""A system without POSIX calls, such as Windows: everything imports, and one process at a time writes and reads."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_POSIX = """
import os, sys
import h5py, joblib, numpy, PIL.Image, safetensors, scipy.io, sklearn, timm, torch, torchvision, zarr  # what they need
sys.modules["fcntl"] = sys.modules["resource"] = None
for name in ("fchmod", "register_at_fork", "sysconf", "posix_fadvise", "POSIX_FADV_WILLNEED", "sched_getaffinity",
             "O_CLOEXEC"):
    delattr(os, name) if hasattr(os, name) else None
open_ = os.open
def open_files_only(path, *args, **kwargs):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return open_(path, *args, **kwargs)
os.open = open_files_only
"""

IMPORT_ALL = """
import importlib, pkgutil, zslpipe
modules = [m.name for m in pkgutil.walk_packages(zslpipe.__path__, "zslpipe.") if m.name != "zslpipe.__main__"]
for name in modules:
    if not name.endswith("_child"):  # programs that run when they are imported
        importlib.import_module(name)
print(len(modules))
"""

WRITE_AND_READ = """
from pathlib import Path
import numpy as np
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import ZslpipeError
from zslpipe.store.exporting import export_h5, export_npy
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.reader import MappedRows, open_rows
from zslpipe.store.repair import repair
from zslpipe.store.verify import verify

benchmark = Benchmark(
    "b", ("a", "b"), np.eye(2, dtype=np.float32), ("x", "y"), tuple(f"{i}.jpg" for i in range(20)),
    np.arange(20) % 2, np.arange(0, 16, 2), np.array([16, 18]), np.arange(1, 20, 2),
)
taps = {"region": TapSpec((4, 3), "float32")}
values = np.random.default_rng(0).normal(size=(20, 4, 3)).astype(np.float32)
store = FeatureStore.open_or_create(Path("s"), benchmark, taps, {"fingerprinted": {}, "recorded": {}}, 8)

def fill():
    with store.claim(store.missing_pieces()) as missing:
        for piece in missing:
            rows = store.piece_rows_of(piece)
            store.write_piece(piece, {"region": values[rows.start : rows.stop]})

fill()
chunk = Path("s/features.zarr/region/c.1.0.0")
chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
assert [d.piece for d in verify(Path("s"))] == [1]
assert repair(Path("s")).pieces == [1]
store = FeatureStore.open(Path("s"))
fill()
assert verify(Path("s")) == []
rows = open_rows(FeatureStore.open(Path("s")), "region", most_bytes=0)
assert isinstance(rows, MappedRows)
assert np.array_equal(rows[[3, 19, 8]], values[[3, 19, 8]])
export_h5(store, Path("out/x.h5"), "region")
export_npy(store, Path("out"), "region")
with store.claim([0]):
    try:
        FeatureStore.open(Path("s")).write_piece(0, {"region": values[:8]})
    except ZslpipeError as refused:
        print("refused:", refused)
"""


def run(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("posix", [False, True])
def test_one_process_writes_reads_and_repairs(tmp_path: Path, posix: bool) -> None:
    done = run(WRITE_AND_READ if posix else WITHOUT_POSIX + WRITE_AND_READ, tmp_path)
    assert "piece 0 of s is being written by this process" in done.stdout
    assert done.stderr.count("file locks are not available on this platform") == (0 if posix else 1)


def test_every_module_imports(tmp_path: Path) -> None:
    assert int(run(WITHOUT_POSIX + IMPORT_ALL, tmp_path).stdout) > 100
