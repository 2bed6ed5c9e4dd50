"""Names and word vectors of the attributes, read from files next to the benchmark."""

from pathlib import Path

import numpy as np

from zslpipe.errors import InputError
from zslpipe.files import sha256_file


def read_attributes(
    stem: Path | None, columns: int, sources: dict[str, str], notes: list[str]
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Names (A,) and word vectors (A, W) of the attributes.

    A file that is missing or has another length is not used: names are then numbered and vectors None.

    Args:
        stem: path without the endings `_names.txt` and `_w2v.npy`.
        columns: number of attributes A.
        sources, notes: what was read, and what was not used, is added to them.
    """
    names: tuple[str, ...] = tuple(f"attribute {a}" for a in range(1, columns + 1))
    vectors = None
    if stem is None:
        return names, None
    names_file, vectors_file = (stem.with_name(f"{stem.name}_{ending}") for ending in ("names.txt", "w2v.npy"))
    if names_file.is_file():
        lines = names_file.read_text(encoding="utf-8", errors="replace").splitlines()
        read = tuple(line.strip() for line in lines if line.strip())
        if len(read) == columns:
            names, sources[names_file.name] = read, sha256_file(names_file)
        else:
            notes.append(f"{names_file.name} names {len(read)} attributes, not {columns}: not used.")
    if vectors_file.is_file():
        loaded = read_npy(vectors_file)
        if loaded.ndim == 2 and len(loaded) == columns:
            vectors, sources[vectors_file.name] = loaded.astype(np.float32), sha256_file(vectors_file)
        else:
            notes.append(f"{vectors_file.name} has shape {loaded.shape}, not ({columns}, W): not used.")
    return names, vectors


def read_npy(path: Path) -> np.ndarray:
    """Read a numeric array from a .npy file, without unpickling.

    Raises:
        InputError: if the file is missing or is not a .npy file of numbers.
    """
    if not path.is_file():
        raise InputError(f"file not found: {path}.")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise InputError(f"{path} is not a numeric .npy file ({problem}).") from problem
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError(f"{path} is not a numeric .npy file.")
    return array


def numbered(count: int) -> tuple[str, ...]:
    """Names for dimensions without names."""
    return tuple(f"dimension {i}" for i in range(1, count + 1))
