"""MATLAB files of version 5 and older. scipy's parser is known to crash on damaged ones: a child of ours runs it."""

from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse

from zslpipe.data.in_child import arrays_from_child

Variable = np.ndarray | list[str]


def variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of all that the file holds."""
    found = arrays_from_child(lambda: {name: np.array(shape) for name, shape, _ in scipy.io.whosmat(str(path))})
    return {name: tuple(shape.tolist()) for name, shape in found.items()}


def read(path: Path, names: list[str] | None) -> dict[str, Variable]:
    """Those of the variables (of all where None) that are there and hold numbers or strings."""

    def in_child() -> dict[str, np.ndarray]:
        raw = scipy.io.loadmat(str(path), variable_names=names)
        plain = {k: _plain(v) for k, v in raw.items() if not k.startswith("__")}  # its header
        return {k: np.array(v, np.str_) if isinstance(v, list) else v for k, v in plain.items() if v is not None}

    return {k: v.tolist() if v.dtype.kind == "U" else v for k, v in arrays_from_child(in_child).items()}


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
