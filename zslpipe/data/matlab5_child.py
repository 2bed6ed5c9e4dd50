"""The process that reads MATLAB files of version 5 and older for `matlab5`: scipy's parser crashes on some of them.

It answers lines of JSON on standard input, {"what", "path", "names", "answer"}, by writing the file `answer`, an .npz
of plain arrays, and a line {"error": null or why it cannot}. It imports nothing of zslpipe, so as to start soon.
"""

import json
import sys

import numpy as np
import scipy.io
import scipy.sparse

MARK = "."  # before every name in an answer: numpy takes some for settings of its own


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["what"] == "shapes":
                found = {name: np.array(shape) for name, shape, _ in scipy.io.whosmat(request["path"])}
            else:
                found = values(request["path"], request["names"])
            np.savez(request["answer"], **{MARK + name: array for name, array in found.items()})  # type: ignore[arg-type]
            error = None
        except Exception as problem:  # whatever a parser makes of a hostile file
            error = str(problem) or type(problem).__name__
        print(json.dumps({"error": error}), flush=True)


def values(path: str, names: list[str] | None) -> dict[str, np.ndarray]:
    """Those of the variables (of all where None) that are there and hold numbers or strings."""
    raw = scipy.io.loadmat(path, variable_names=names)
    plain = {name: _plain(value) for name, value in raw.items() if not name.startswith("__")}  # its header
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: object) -> np.ndarray | None:
    """Numbers in their shape, strings in a row, None for whatever else."""
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
