"""MATLAB files of either kind, v5 and v7.3 (HDF5), read alike and without running anything they hold."""

import faulthandler
import os
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import scipy.sparse

from zslpipe.errors import RequestError

Variable = np.ndarray | list[str]


def mat_variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and MATLAB shape of what a .mat file holds, without reading it.

    Raises:
        RequestError: where the file is missing or is not a MATLAB file.
    """
    if _is_hdf5(path):
        with _open_hdf5(path) as file:
            return {k: (v.shape or ())[::-1] for k, v in file.items() if isinstance(v, h5py.Dataset)}
    _check_v5(path)
    try:
        return {name: tuple(shape) for name, shape, _ in scipy.io.whosmat(str(path))}
    except Exception as problem:  # a hostile file can make the parser fail in any way
        raise _unreadable(path, problem) from problem


def read_mat(path: Path, names: Iterable[str] | None = None) -> dict[str, Variable]:
    """Read variables of a .mat file: arrays in MATLAB's shape, cell arrays and char arrays as lists of strings.

    v7.3 stores the transpose of what MATLAB shows; here both kinds give the same. Cells come in column-major order.

    Args:
        path: the file.
        names: the variables wanted, all of which must be there; None reads every one that holds numbers or strings.

    Raises:
        RequestError: where the file is missing or is no MATLAB file, where a variable is missing or holds anything
            but numbers and strings.
    """
    held = mat_variables(path)
    wanted = list(held) if names is None else list(names)
    for name in wanted:
        if name not in held:
            raise RequestError(f"{path} has no variable '{name}'; it holds {', '.join(sorted(held)) or 'nothing'}.")
    read = _read_hdf5 if _is_hdf5(path) else _read_v5
    values: dict[str, Variable] = {}
    for name, value in read(path, wanted).items():
        if value is not None:
            values[name] = value
        elif names is not None:
            raise RequestError(f"'{name}' in {path} holds neither numbers nor strings; save it as a plain array.")
    return values


def read_array(path: Path, name: str) -> np.ndarray:
    """One variable that must hold numbers, in MATLAB's shape."""
    value = read_mat(path, [name])[name]
    if isinstance(value, list):
        raise RequestError(f"'{name}' in {path} holds strings; numbers are needed.")
    return value


def read_strings(path: Path, name: str) -> list[str]:
    """One variable that must hold strings."""
    value = read_mat(path, [name])[name]
    if not isinstance(value, list):
        raise RequestError(f"'{name}' in {path} holds numbers; a cell array of strings is needed.")
    return value


def read_whole_numbers(file: Path, variable: str) -> np.ndarray:
    raw = read_array(file, variable).ravel()
    with np.errstate(invalid="ignore"):
        values = raw.astype(np.int64)  # first of all: uint8 labels would overflow
    if not np.array_equal(values, raw):
        raise RequestError(f"{file}: {variable} must hold whole numbers.")
    return values


def _unreadable(path: Path, problem: Exception) -> RequestError:
    reason = " ".join(str(problem).split()) or type(problem).__name__
    return RequestError(f"{path} is not a MATLAB file that can be read ({reason}); get it again.")


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():
        raise RequestError(f"there is no file {path}.")
    try:
        with path.open("rb"):
            return bool(h5py.is_hdf5(path))
    except OSError as problem:
        raise _unreadable(path, problem) from problem


# --- v5 and older


def _check_v5(path: Path) -> None:
    """Let a child read the file first: scipy's parser is known to crash on damaged ones, and would take us along.

    Raises:
        RequestError: where the child did not survive.
    """
    stat = path.stat()
    if not _survives(path.absolute(), stat.st_size, stat.st_mtime_ns):
        raise _unreadable(path, Exception("it makes the parser crash"))


@lru_cache(maxsize=64)
def _survives(path: Path, _size: int, _changed: int) -> bool:
    """Whether reading ends in one way or another; taken for granted on systems that cannot fork."""
    if not hasattr(os, "fork"):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads; the child needs none of them
        child = os.fork()
    if not child:
        try:
            faulthandler.disable()  # the parent tells
            scipy.io.whosmat(str(path))
            scipy.io.loadmat(str(path))
        finally:
            os._exit(0)
    return os.WIFEXITED(os.waitpid(child, 0)[1])


def _read_v5(path: Path, names: list[str]) -> dict[str, Variable | None]:
    try:
        raw = scipy.io.loadmat(str(path), variable_names=names)
        return {name: _plain(raw[name]) for name in names}
    except Exception as problem:
        raise _unreadable(path, problem) from problem


def _plain(value: object) -> Variable | None:
    """Numbers as an array, strings as a list, None for whatever else."""
    if scipy.sparse.issparse(value):
        return np.asarray(value.toarray())  # type: ignore[attr-defined]
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.kind in "biufc":
        return value
    if value.dtype.kind == "U":
        return [str(s) for s in value.ravel(order="F")]
    if value.dtype.kind != "O":
        return None  # a struct
    strings = [_cell(cell) for cell in value.ravel(order="F")]
    return None if None in strings else [s for s in strings if s is not None]


def _cell(cell: object) -> str | None:
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1:
        return str(cell.item()) if cell.size else ""
    return "" if isinstance(cell, np.ndarray) and cell.size == 0 else None


# --- v7.3


def _open_hdf5(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _read_hdf5(path: Path, names: list[str]) -> dict[str, Variable | None]:
    with _open_hdf5(path) as file:
        try:
            return {name: _plain_hdf5(file, file[name]) for name in names}
        except Exception as problem:
            raise _unreadable(path, problem) from problem


def _plain_hdf5(file: h5py.File, data: h5py.Dataset) -> Variable | None:
    if h5py.check_ref_dtype(data.dtype) is not None:  # a cell array; row-major here is column-major there
        cells = [file[ref] if ref else None for ref in data[()].ravel()]
        strings = ["" if c is None or _is_empty(c) else _char(c) for c in cells]
        return None if None in strings else [s for s in strings if s is not None]
    if h5py.check_string_dtype(data.dtype) is not None:  # not MATLAB's way, but that of other writers
        return [str(s) for s in data.asstr()[()].ravel()]
    if _matlab_class(data) == "char":
        if _is_empty(data):
            return []
        return [_text(column) for column in data[()].T]
    if _is_empty(data):
        return np.empty((0, 0))
    return data[()].T if data.dtype.kind in "biufc" else None


def _matlab_class(data: h5py.Dataset) -> str:
    name = data.attrs.get("MATLAB_class", b"")
    return name.decode() if isinstance(name, bytes) else str(name)


def _is_empty(data: h5py.Dataset) -> bool:
    # an empty array is marked, and its value is its shape in 64 bits; asking a narrower one would cost time
    return data.size == 0 or (data.dtype.itemsize == 8 and bool(data.attrs.get("MATLAB_empty", 0)))


def _char(cell: h5py.Dataset) -> str | None:
    """The text of a cell's char row, None if it is anything else."""
    if not isinstance(cell, h5py.Dataset):
        return None
    if h5py.check_string_dtype(cell.dtype) is not None and cell.size == 1:
        return str(cell.asstr()[()].ravel()[0] if cell.shape else cell.asstr()[()])
    is_text = _matlab_class(cell) == "char" and cell.dtype.kind == "u" and cell.ndim == 2 and cell.shape[1] == 1
    return _text(cell[()].ravel()) if is_text else None


def _text(codes: np.ndarray) -> str:
    """MATLAB's chars are UTF-16 code units."""
    return codes.astype("<u2").tobytes().decode("utf-16-le", "replace").rstrip()
