"""Reads MATLAB files of version 7.3, which are HDF5 files."""

from pathlib import Path

import h5py
import numpy as np

from zslpipe.data.hdf5 import open_hdf5, own_datasets, require_own, require_whole
from zslpipe.data.matlab5 import Variable


def variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and MATLAB shapes of all variables in the file."""
    with open_hdf5(path) as file:
        return {k: (v.shape or ())[::-1] for k, v in own_datasets(file).items()}


def read(path: Path, names: list[str] | None) -> dict[str, Variable]:
    """The requested variables (None: all), without those that are missing or neither numeric nor text."""
    with open_hdf5(path) as file:
        wanted = {k: v for k, v in own_datasets(file).items() if names is None or k in names}
        for name, data in wanted.items():
            require_whole(data, name)
        plain = {k: _plain(file, v) for k, v in wanted.items()}
    return {k: v for k, v in plain.items() if v is not None}


def _plain(file: h5py.File, data: h5py.Dataset) -> Variable | None:
    if h5py.check_ref_dtype(data.dtype) is not None:  # a cell array; row-major in HDF5 is column-major in MATLAB
        cells = [_own(file[ref]) if ref else None for ref in data[()].ravel()]
        strings = ["" if c is None or _is_empty(c) else _char(c) for c in cells]
        return None if None in strings else [s for s in strings if s is not None]
    if h5py.check_string_dtype(data.dtype) is not None:  # not written by MATLAB but by other programs
        return [str(s) for s in data.asstr()[()].ravel()]
    if _matlab_class(data) == "char":
        if _is_empty(data):
            return []
        return [_text(column) for column in data[()].T]
    if _is_empty(data):
        return np.empty((0, 0))
    return data[()].T if data.dtype.kind in "biufc" else None


def _own(cell: h5py.Dataset) -> h5py.Dataset:
    require_own(cell, "a cell")
    return cell


def _matlab_class(data: h5py.Dataset) -> str:
    name = data.attrs.get("MATLAB_class", b"")
    return name.decode() if isinstance(name, bytes) else str(name)


def _is_empty(data: h5py.Dataset) -> bool:
    # an empty array has this attribute and stores its shape as 64-bit integers; reading attributes is slow
    return data.size == 0 or (data.dtype.itemsize == 8 and bool(data.attrs.get("MATLAB_empty", 0)))


def _char(cell: h5py.Dataset) -> str | None:
    """The text of a cell that is a row of chars, else None."""
    if not isinstance(cell, h5py.Dataset):
        return None
    if h5py.check_string_dtype(cell.dtype) is not None and cell.size == 1:
        return str(cell.asstr()[()].ravel()[0] if cell.shape else cell.asstr()[()])
    is_text = _matlab_class(cell) == "char" and cell.dtype.kind == "u" and cell.ndim == 2 and cell.shape[1] == 1
    return _text(cell[()].ravel()) if is_text else None


def _text(codes: np.ndarray) -> str:
    """Decode MATLAB chars, which are UTF-16 code units."""
    return codes.astype("<u2").tobytes().decode("utf-16-le", "replace").rstrip()
