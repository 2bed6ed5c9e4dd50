"""MATLAB files of either kind, v5 and v7.3 (HDF5), read alike and without running anything they hold."""

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
    """Name and MATLAB shape of what a .mat file holds, without reading it.

    Raises:
        InputError: where the file is missing or is not a MATLAB file.
    """
    with _refusing(path):
        return _kind(path).variables(path)


def read_mat(path: Path, names: Iterable[str] | None = None) -> dict[str, Variable]:
    """Read variables of a .mat file: arrays in MATLAB's shape, cell arrays and char arrays as lists of strings.

    v7.3 stores the transpose of what MATLAB shows; here both kinds give the same. Cells come in column-major order.

    Args:
        path: the file.
        names: the variables wanted, all of which must be there; None reads every one that holds numbers or strings.

    Raises:
        InputError: where the file is missing or is no MATLAB file, where a variable is missing or holds anything
            but numbers and strings.
    """
    wanted = None if names is None else list(names)
    with _refusing(path):
        found: dict[str, Variable] = _kind(path).read(path, wanted)
    for name in wanted or ():
        if name not in found:
            held = mat_variables(path)
            if name in held:
                raise InputError(f"'{name}' in {path} holds neither numbers nor strings; save it as a plain array.")
            raise InputError(f"{path} has no variable '{name}'; it holds {', '.join(sorted(held)) or 'nothing'}.")
    return found


def read_array(path: Path, name: str) -> np.ndarray:
    """One variable that must hold numbers, in MATLAB's shape."""
    value = read_mat(path, [name])[name]
    if isinstance(value, list):
        raise InputError(f"'{name}' in {path} holds strings; numbers are needed.")
    return value


def read_strings(path: Path, name: str) -> list[str]:
    """One variable that must hold strings."""
    value = read_mat(path, [name])[name]
    if not isinstance(value, list):
        raise InputError(f"'{name}' in {path} holds numbers; a cell array of strings is needed.")
    return value


def read_whole_numbers(file: Path, variable: str) -> np.ndarray:
    raw = read_array(file, variable).ravel()
    with np.errstate(invalid="ignore"):
        values = raw.astype(np.int64)  # first of all: uint8 labels would overflow
    if not np.array_equal(values, raw):
        raise InputError(f"{file}: {variable} must hold whole numbers.")
    return values


def _kind(path: Path) -> ModuleType:
    return matlab73 if h5py.is_hdf5(path) else matlab5


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """A hostile file can make a parser fail in any way: whatever it is becomes one sentence."""
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    try:
        with path.open("rb"):  # the reason why it cannot be, where h5py would only say that it is not HDF5
            yield
    except Exception as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise InputError(f"{path} is not a MATLAB file that can be read ({reason}); get it again.") from problem
