"""Export of a store: the two .mat files of xlsa17, the HDF5 file of region methods, NumPy.

Images without a class and, on request, failed images are left out; rows are renumbered consistently in all files of
one export.
"""

import errno
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from numpy.lib import format as npy

from zslpipe.data.benchmark import NO_CLASS, Benchmark
from zslpipe.data.splits import validation_splits
from zslpipe.errors import InputError
from zslpipe.files import atomic_write, renamed, temporary, write_text
from zslpipe.progress import track
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.pieces import FAILED, MISSING
from zslpipe.store.sealed import explain_os_errors

BLOCK_BYTES = 32 << 20
MATLAB_BYTES = 1 << 32  # largest variable of a v5 file


@dataclass(frozen=True)
class Exported:
    """What was written: the files, the rows of the store that they contain in order, the rows left out."""

    files: list[Path]
    rows: np.ndarray
    left_out: np.ndarray


def export_mat(
    store: FeatureStore,
    folder: Path,
    tap: str = "global",
    *,
    name: str = "res101",
    image_prefix: str = "",
    drop_failed: bool = False,
) -> Exported:
    """Write `<name>.mat` and `att_splits.mat` as public zero-shot repositories read them.

    `<name>.mat`: features (D, N) float32, labels (N, 1) from 1 and image_files (N, 1). `att_splits.mat`: att and
    original_att (A, C), both the benchmark's semantics, allclasses_names (C, 1), and image rows from 1 as (n, 1):
    trainval_loc, test_seen_loc, test_unseen_loc, and with train_loc and val_loc the first validation fold *within*
    trainval: unlike those of the official files, they contain no test image.

    Args:
        folder: where to write the two files.
        tap: a tap with one vector per image.
        image_prefix: prefix for the image ids, for code that strips a fixed number of folders.
        drop_failed: leave out failed images; otherwise a store with failed images is refused.

    Raises:
        InputError: if the store is incomplete, images failed, or the tap is not one vector per image.
    """
    rows, benchmark = _exported_rows(store, drop_failed)
    if len(store.taps[_existing(store, tap)].shape) != 1:
        raise InputError(
            f".mat files contain one vector per image, not {store.taps[tap].shape} as '{tap}': export it as .h5."
        )
    width = store.taps[tap].shape[0]
    if len(rows) * width * 4 >= MATLAB_BYTES:
        raise InputError(f"{len(rows)} x {width} features are too large for a .mat file: export them as .h5.")
    features, attributes = folder / f"{name}.mat", folder / "att_splits.mat"
    values = np.empty((len(rows), width), np.float32)
    for start, block in _blocks(store, tap, rows, features.name):
        values[start : start + len(block)] = block
    images = [image_prefix + image.split("#")[0] for image in benchmark.image_ids]
    split: dict[str, Any] = {f"{part}_loc": index + 1 for part, index in _split(benchmark).items()}
    with explain_os_errors(f"could not export to {folder}"):
        _write_mat(features, features=values.T, labels=_column(benchmark.labels + 1), image_files=_cells(images))
        _write_mat(
            attributes,
            att=benchmark.semantics.T.astype(np.float64),
            original_att=benchmark.semantics.T.astype(np.float64),
            allclasses_names=_cells(benchmark.class_names),
            **{part: _column(index) for part, index in split.items()},
        )
    return _exported([features, attributes], store, rows)


def export_npy(store: FeatureStore, folder: Path, tap: str = "global", *, drop_failed: bool = False) -> Exported:
    """Write `<tap>.npy` with the dtype of the store, and `labels.npy` (from 0) and `image_files.txt` of its rows."""
    rows, benchmark = _exported_rows(store, drop_failed)
    spec = store.taps[_existing(store, tap)]
    files = [folder / f"{tap}.npy", folder / "labels.npy", folder / "image_files.txt"]
    with explain_os_errors(f"could not export to {folder}"):
        with atomic_write(files[0]) as stream:
            about = {"descr": np.dtype(spec.dtype).str, "fortran_order": False, "shape": (len(rows), *spec.shape)}
            npy.write_array_header_1_0(stream, about)
            for _, block in _blocks(store, tap, rows, files[0].name):
                stream.write(np.ascontiguousarray(block).data)
        with atomic_write(files[1]) as stream:
            np.save(stream, benchmark.labels)
        write_text(files[2], "".join(f"{image}\n" for image in benchmark.image_ids))
    return _exported(files, store, rows)


def export_h5(store: FeatureStore, file: Path, tap: str = "region", *, drop_failed: bool = False) -> Exported:
    """Write one HDF5 file as region methods read it.

    `feature_map` is (N, D, H, W) if the regions are exactly a grid, else (N, R, D); a tap of vectors becomes `features`
    (N, D). labels and the `*_loc` count from 0; att and original_att are (C, A), w2v_att (A, W) if there are any;
    image_files and allclasses_names are UTF-8 strings.
    """
    rows, benchmark = _exported_rows(store, drop_failed)
    spec = store.taps[_existing(store, tap)]
    turn: Callable[[np.ndarray], np.ndarray] = np.asarray
    name, shape = ("features" if len(spec.shape) == 1 else "feature_map"), spec.shape
    if spec.grid is not None and math.prod(spec.grid) == math.prod(spec.shape[:-1]):  # no class token before it
        width = spec.shape[-1]
        shape = (width, *spec.grid)

        def turn(block: np.ndarray) -> np.ndarray:
            return block.reshape(len(block), -1, width).transpose(0, 2, 1).reshape(len(block), *shape)

    size = len(rows) * math.prod(shape) * np.dtype(spec.dtype).itemsize
    with explain_os_errors(f"could not export to {file}"), renamed(temporary(file), file) as unfinished:
        file.parent.mkdir(parents=True, exist_ok=True)
        _check_free_space(file.parent, size + BLOCK_BYTES)
        with h5py.File(unfinished, "w") as target:
            features = target.create_dataset(name, (len(rows), *shape), np.dtype(spec.dtype).newbyteorder("<"))
            features[:1] = 0  # allocates the data in the file
            place = features.id.get_offset()
            target["labels"] = benchmark.labels
            for part, index in _split(benchmark).items():
                target[f"{part}_loc"] = index
            target["att"] = target["original_att"] = benchmark.semantics
            if benchmark.attribute_vectors is not None:
                target["w2v_att"] = benchmark.attribute_vectors
            for key, strings in (("image_files", benchmark.image_ids), ("allclasses_names", benchmark.class_names)):
                target.create_dataset(key, data=list(strings), dtype=h5py.string_dtype())
        with unfinished.open("r+b") as stream:
            stream.seek(place)
            for _, block in _blocks(store, tap, rows, file.name):
                stream.write(np.ascontiguousarray(turn(block)).data)
            stream.flush()
            os.fsync(stream.fileno())
    return _exported([file], store, rows)


def _check_free_space(folder: Path, size: int) -> None:
    """Raise OSError if the disk is too full: HDF5 crashes then, which is also why the bulk is written without it."""
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _exported_rows(store: FeatureStore, drop_failed: bool) -> tuple[np.ndarray, Benchmark]:
    """The rows to write, and the benchmark of only these rows."""
    status, whole = store.status, store.benchmark
    if (status == MISSING).any():
        missing = int((status == MISSING).sum())
        raise InputError(f"{missing} of {len(store)} rows of {store.path} are missing: finish the extraction first.")
    failed = np.flatnonzero(status == FAILED)
    if len(failed) and not drop_failed:
        raise InputError(
            f"{len(failed)} images of {store.path} failed, the first is {whole.image_ids[failed[0]]}: "
            f"extract them again, or leave them out (drop_failed)."
        )
    rows = np.flatnonzero((status != FAILED) & (whole.labels != NO_CLASS))
    return rows, _restricted(whole, rows)


def _restricted(benchmark: Benchmark, rows: np.ndarray) -> Benchmark:
    """The benchmark of these rows only, with its splits renumbered."""
    kept = benchmark.keep(np.isin(np.arange(len(benchmark.labels)), rows))
    place = np.full(len(benchmark.labels), -1, np.int64)
    place[rows] = np.arange(len(rows))
    return replace(
        kept,
        image_ids=tuple(benchmark.image_ids[row] for row in rows),
        labels=benchmark.labels[rows],
        trainval=place[kept.trainval],
        test_seen=place[kept.test_seen],
        test_unseen=place[kept.test_unseen],
    )


def _split(benchmark: Benchmark) -> dict[str, np.ndarray]:
    """The image lists of att_splits.mat; train and val are the first validation fold, within trainval."""
    lists = {part: getattr(benchmark, part) for part in ("trainval", "test_seen", "test_unseen")}
    for fold in validation_splits(benchmark, folds=1) if len(benchmark.seen_classes) > 1 else ():
        of = benchmark.labels[benchmark.trainval]
        lists["train"] = benchmark.trainval[np.isin(of, fold.train)]
        lists["val"] = benchmark.trainval[np.isin(of, fold.val)]
    return lists


def _blocks(store: FeatureStore, tap: str, rows: np.ndarray, label: str) -> Iterator[tuple[int, np.ndarray]]:
    """The rows in blocks of about `BLOCK_BYTES`, each with its start."""
    spec, source = store.taps[tap], store.rows(tap)
    row_bytes = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    for start in track(range(0, len(rows), step), f"exporting {label}"):
        yield start, source[rows[start : start + step]]


def _existing(store: FeatureStore, tap: str) -> str:
    if tap not in store.taps:
        raise InputError(f"{store.path} has no tap '{tap}', available: {', '.join(store.taps)}.")
    return tap


def _exported(files: list[Path], store: FeatureStore, rows: np.ndarray) -> Exported:
    return Exported(files, rows, np.setdiff1d(np.arange(len(store)), rows))


def _write_mat(path: Path, **variables: np.ndarray) -> None:
    with atomic_write(path) as stream:
        scipy.io.savemat(stream, variables)


def _column(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.int32).reshape(-1, 1)


def _cells(strings: Sequence[str]) -> np.ndarray:
    """A MATLAB cell array (n, 1) of strings."""
    cells = np.empty((len(strings), 1), object)
    cells[:, 0] = strings
    return cells
