"""Feature files of other software, read block by block: MATLAB (v5 and v7.3), HDF5, NumPy.

The keys are those in common use: `features` (D, N) with 1-based `labels` and `image_files` in res101.mat; `feature_map`
(N, C, H, W) with 0-based `labels` in the HDF5 files of region methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib import format as npy_format

from zslpipe.arrays import npz_names, read_npz
from zslpipe.data.hdf5 import open_hdf5, own_datasets, whole_dataset
from zslpipe.data.matlab import mat_variables, read_array, read_mat
from zslpipe.errors import InputError

FEATURE_KEYS = ("features", "feature_map", "feature_maps", "feat", "feats", "x", "X")
LABEL_KEYS = ("labels", "label", "y")
IMAGE_KEYS = ("image_files", "image_ids", "img_files", "files", "paths")


@dataclass(frozen=True)
class Source:
    """Features of N images in a file, one row per image.

    Args:
        path: the file.
        shape: (N, D) for global features, (N, R, D) for regions.
        dtype: dtype of the numbers in the file.
        block: rows [start, stop) as an array (stop - start, ...).
        labels: (N,) integers, from 0 or from 1; None if the file has none.
        image_files: names of the N images; None if the file has none.
        file: what `close` closes.
        grid: (H, W) of the regions if the file contains maps, else None.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    block: Callable[[int, int], np.ndarray]
    labels: np.ndarray | None = None
    image_files: list[str] | None = None
    file: h5py.File | None = None
    grid: tuple[int, int] | None = None

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    @property
    def tap(self) -> str:
        """The usual tap name for features of this shape."""
        return "global" if len(self.shape) == 2 else "region"


def open_source(path: Path, rows: int, key: str | None = None) -> Source | None:
    """Open a feature file; None if it is a readable file without features (such as att_splits.mat).

    Args:
        path: .mat, .h5, .hdf5, .npy or .npz.
        rows: N, to distinguish images from channels.
        key: the variable that holds the features, if it has none of the usual names.

    Raises:
        InputError: if the file cannot be read or its features do not have N rows.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist.")
    kind = path.suffix.lower()
    readers = {".mat": _mat, ".h5": _hdf5, ".hdf5": _hdf5, ".npy": _npy, ".npz": _npz}
    if kind not in readers:
        raise InputError(f"{path} cannot be imported: supported formats are {', '.join(readers)}.")
    try:
        return readers[kind](path, rows, key)
    except InputError:
        raise
    except Exception as problem:  # a malicious file can make any parser fail in any way
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise InputError(f"{path} is not a readable {kind} file ({reason}); download or export it again.") from problem


def _mat(path: Path, rows: int, key: str | None) -> Source | None:
    held = mat_variables(path)
    name = _pick(path, held, key, FEATURE_KEYS)
    if name is None:
        return None
    labels, images = _pick(path, held, None, LABEL_KEYS), _pick(path, held, None, IMAGE_KEYS)
    about = read_mat(path, [n for n in (labels, images) if n])
    labels_read, images_read = about.get(labels or ""), about.get(images or "")
    if h5py.is_hdf5(path):  # v7.3 stores the transpose: (N, D) for features (D, N), read in blocks
        file = open_hdf5(path)
        dataset = whole_dataset(file, name)
        return _source(path, rows, dataset.shape, dataset.dtype, dataset.__getitem__, labels_read, images_read, file)
    values = read_array(path, name)
    values = values.T if values.ndim == 2 else values
    return _source(path, rows, values.shape, values.dtype, values.__getitem__, labels_read, images_read)


def _hdf5(path: Path, rows: int, key: str | None) -> Source | None:
    file = open_hdf5(path)
    held = {name: item.shape for name, item in own_datasets(file).items()}
    name = _pick(path, held, key, FEATURE_KEYS)
    if name is None:
        return None
    labels, images = _pick(path, held, None, LABEL_KEYS), _pick(path, held, None, IMAGE_KEYS)
    named = whole_dataset(file, images) if images else None
    is_text = named is not None and h5py.check_string_dtype(named.dtype) is not None
    names = [str(s) for s in named.asstr()[()].ravel()] if named is not None and is_text else None
    dataset = whole_dataset(file, name)
    labels_read = whole_dataset(file, labels)[()] if labels else None
    return _source(path, rows, dataset.shape, dataset.dtype, dataset.__getitem__, labels_read, names, file)


def _npy(path: Path, rows: int, key: str | None) -> Source:
    values = npy_format.open_memmap(path, mode="r")  # never unpickles
    return _source(path, rows, values.shape, values.dtype, values.__getitem__, None, None)


def _npz(path: Path, rows: int, key: str | None) -> Source | None:
    held = dict.fromkeys(npz_names(path))
    name = _pick(path, held, key, FEATURE_KEYS)
    if name is None:
        return None
    labels, images = _pick(path, held, None, LABEL_KEYS), _pick(path, held, None, IMAGE_KEYS)
    found = read_npz(path, [n for n in (name, labels, images) if n])
    values = found[name]
    labels_read = found[labels] if labels else None
    names = [str(i) for i in found[images].ravel()] if images else None
    return _source(path, rows, values.shape, values.dtype, values.__getitem__, labels_read, names)


def _pick(path: Path, held: dict[str, Any], key: str | None, usual: tuple[str, ...]) -> str | None:
    if key is not None and key not in held:
        raise InputError(f"{path} has no '{key}'; it contains {', '.join(sorted(held)) or 'nothing'}.")
    return key or next((name for name in usual if name in held), None)


def _source(
    path: Path,
    rows: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    read: Callable[[Any], np.ndarray],
    labels: Any,
    images: Any,
    file: h5py.File | None = None,
) -> Source:
    """The file's features as (N, D) or (N, R, D), for any order of axes in the file."""
    if dtype.kind not in "fiu":
        raise InputError(f"{path}: features must be numbers, not {dtype}.")
    if len(shape) == 2 and shape[0] != rows and shape[1] == rows:  # (D, N)
        given, shape = read, shape[::-1]

        def read(block: Any) -> np.ndarray:
            return np.asarray(given((slice(None), block))).T

    if len(shape) not in (2, 3, 4) or shape[0] != rows:
        raise InputError(
            f"{path} contains features {shape}, but the benchmark has {rows} images: give the dataset it belongs to."
        )
    if 0 in shape:
        raise InputError(f"{path} contains features {shape}, which hold no numbers: export them again.")
    per_image: Callable[[np.ndarray], np.ndarray] = np.asarray
    grid: tuple[int, int] | None = None
    if len(shape) == 4:
        n, a, b, c = shape
        if a == b != c:  # (N, H, W, C)
            shape, grid = (n, a * b, c), (a, b)

            def per_image(values: np.ndarray) -> np.ndarray:
                return values.reshape(len(values), a * b, c)
        else:  # (N, C, H, W), the common case
            shape, grid = (n, b * c, a), (b, c)

            def per_image(values: np.ndarray) -> np.ndarray:
                return values.reshape(len(values), a, b * c).transpose(0, 2, 1)

    def block(start: int, stop: int) -> np.ndarray:
        try:
            return per_image(read(slice(start, stop)))
        except (OSError, ValueError, RuntimeError) as problem:  # a compressed block that does not decode
            raise InputError(
                f"{path}: rows {start} to {stop - 1} cannot be read ({problem}); download or export it again."
            ) from problem

    numbers = None if labels is None else np.asarray(labels).ravel()
    if numbers is not None and numbers.dtype.kind not in "fiu":
        raise InputError(f"{path}: labels must be numbers, not {numbers.dtype}.")
    if numbers is not None and len(broken := np.flatnonzero(_not_whole(numbers))):
        raise InputError(f"{path}: row {broken[0]} (from 0) has label {numbers[broken[0]]}, which is no whole number.")
    names = images if isinstance(images, list) else None
    return Source(path, tuple(shape), dtype, block, numbers, names, file, grid)


def _not_whole(numbers: np.ndarray) -> np.ndarray:
    """(N,) bool"""
    with np.errstate(invalid="ignore"):
        return np.asarray(numbers.astype(np.int64) != numbers)
