"""Names and word vectors of the attributes, from files beside the benchmark."""

from pathlib import Path

import numpy as np

from zslpipe.errors import InputError
from zslpipe.files import sha256_file


def read_attributes(
    stem: Path | None, columns: int, sources: dict[str, str], notes: list[str]
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Names and word vectors of the attributes; numbers and None where they are absent or of another length."""
    names: tuple[str, ...] = tuple(f"attribute {a}" for a in range(1, columns + 1))
    vectors = None
    if stem is None:
        return names, None
    names_file, vectors_file = (stem.with_name(f"{stem.name}_{end}") for end in ("names.txt", "w2v.npy"))
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
    """Numbers from a .npy file, never unpickled."""
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise InputError(f"{path} is not a .npy file of plain numbers ({problem}).") from problem
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise InputError(f"{path} is not a .npy file of plain numbers.")
    return array
