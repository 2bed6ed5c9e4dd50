"""Reads MATLAB files, v5 and v7.3 (HDF5), without executing anything they contain."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np

from zslpipe.data import matlab5, matlab73
from zslpipe.data.matlab5 import Variable
from zslpipe.errors import InputError


def mat_variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and MATLAB shapes of the variables in a .mat file, without reading their values.

    Raises:
        InputError: if the file is missing or is not a MATLAB file.
    """
    with _errors_as_input_errors(path):
        return _reader(path).variables(path)


def read_mat(path: Path, names: Iterable[str] | None = None) -> dict[str, Variable]:
    """Read variables of a .mat file: arrays in MATLAB's shape, cell arrays and char arrays as lists of strings.

    v7.3 files store the transpose of what MATLAB shows; both versions give the same result here. Cells are in
    column-major order.

    Args:
        path: the file.
        names: the required variables; None reads all variables that contain numbers or strings.

    Raises:
        InputError: if the file is missing or is not a MATLAB file, or if a required variable is missing or contains
            anything but numbers and strings.
    """
    wanted = None if names is None else list(names)
    with _errors_as_input_errors(path):
        found: dict[str, Variable] = _reader(path).read(path, wanted)
    for name in wanted or ():
        if name not in found:
            present = mat_variables(path)
            if name in present:
                raise InputError(f"'{name}' in {path} is neither numeric nor text; save it as a plain array.")
            available = ", ".join(sorted(present)) or "none"
            raise InputError(f"{path} has no variable '{name}'; available: {available}.")
    return found


def read_array(path: Path, name: str) -> np.ndarray:
    """Read one numeric variable, in MATLAB's shape."""
    value = read_mat(path, [name])[name]
    if isinstance(value, list):
        raise InputError(f"'{name}' in {path} contains strings; it must be numeric.")
    return value


def read_strings(path: Path, name: str) -> list[str]:
    """Read one variable of strings."""
    value = read_mat(path, [name])[name]
    if not isinstance(value, list):
        raise InputError(f"'{name}' in {path} is numeric; it must be a cell array of strings.")
    return value


def read_integers(file: Path, variable: str) -> np.ndarray:
    """Read one variable of integers as int64 (N,).

    Raises:
        InputError: as `read_mat`, or if a value is not an integer.
    """
    raw = read_array(file, variable).ravel()
    with np.errstate(invalid="ignore"):
        values = raw.astype(np.int64)  # before any arithmetic: uint8 labels would overflow
    if not np.array_equal(values, raw):
        raise InputError(f"{file}: {variable} must contain integers.")
    return values


def _reader(path: Path) -> ModuleType:
    return matlab73 if h5py.is_hdf5(path) else matlab5


@contextmanager
def _errors_as_input_errors(path: Path) -> Iterator[None]:
    """A damaged file can make a parser fail in any way: report every failure as one `InputError`."""
    if not path.is_file():
        raise InputError(f"file not found: {path}.")
    try:
        with path.open("rb"):  # gives the operating system's reason, while h5py only says "not HDF5"
            yield
    except Exception as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise InputError(f"{path} is not a readable MATLAB file ({reason}); download it again.") from problem
