"""The child process of `matlab5`, in which scipy parses MATLAB files and HDF5 files are tried; some crash it.

Each line on standard input is a JSON request {"what", "path", "names", "answer", "memory", "seconds"}. The child writes
an .npz of plain arrays to the file `answer` and replies with a line {"error": null or a message}. It does not import
zslpipe, so that it starts quickly.
"""

import json
import math
import sys
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse

PREFIX = "."  # put before every name in an answer: np.savez would take some names as its own arguments


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            limit_memory(request["memory"])
            limit_time(request["seconds"])
            if request["what"] == "shapes":
                found = {name: np.array(shape) for name, shape, _ in scipy.io.whosmat(request["path"])}
            elif request["what"] == "hdf5":
                found = {}
                try_hdf5(request["path"])
            else:
                found = values(request["path"], request["names"])
            np.savez(request["answer"], **{PREFIX + name: array for name, array in found.items()})  # type: ignore[arg-type]
            error = None
        except Exception as problem:  # a damaged file can raise anything
            error = str(problem) or type(problem).__name__
        limit_time(0)
        print(json.dumps({"error": error}), flush=True)


def limit_memory(size: int) -> None:
    """Let allocations beyond this fail, on systems that can; a file may claim any size."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size if most < 0 else min(size, most), most))


def limit_time(seconds: float) -> None:
    """End this process after some seconds (0: never), on systems that can; the parent may be gone by then."""
    import signal

    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(2 * seconds))  # the parent stops waiting first


def try_hdf5(path: str) -> None:
    """Do with an HDF5 file what its readers do, on single values: some files crash or stall the library."""
    import h5py

    with h5py.File(path, "r") as file:
        for name in file:
            item = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
            if not isinstance(item, h5py.Dataset) or reads_other_files(item) or not item.size:
                continue
            dict(item.attrs)
            stored = item.id.get_storage_size()  # asks for every chunk
            if item.chunks is None and stored < item.size * item.dtype.itemsize:
                continue
            for corner in ((0,) * item.ndim, tuple(length - 1 for length in item.shape)):
                value = item[corner]
                if isinstance(value, h5py.Reference) and value and not reads_other_files(file[value]):
                    file[value][()]


def reads_other_files(item: Any) -> bool:
    return bool(getattr(item, "is_virtual", False) or getattr(item, "external", None))


def values(path: str, names: list[str] | None) -> dict[str, np.ndarray]:
    """The requested variables (None: all), without those that are missing or neither numeric nor text."""
    raw = scipy.io.loadmat(path, variable_names=names)
    plain = {name: _plain(value) for name, value in raw.items() if not name.startswith("__")}  # its header
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: object) -> np.ndarray | None:
    """Numeric arrays unchanged, strings as a flat array, None for anything else."""
    if scipy.sparse.issparse(value):
        return np.asarray(value.toarray())  # type: ignore[attr-defined]
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.kind in "biufc":
        return value
    if value.dtype.kind == "U":
        return value.ravel(order="F")
    if value.dtype.kind != "O":
        return None  # a struct
    strings = [_cell(cell) for cell in value.ravel(order="F")]
    return None if None in strings else np.array(strings, np.str_)


def _cell(cell: object) -> str | None:
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1:
        return str(cell.item()) if cell.size else ""
    return "" if isinstance(cell, np.ndarray) and cell.size == 0 else None


if __name__ == "__main__":
    main()
