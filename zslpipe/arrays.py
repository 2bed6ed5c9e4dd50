"""Arrays in .npy and .npz files of others: sizes are compared with the file and the memory before any is allocated."""

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from zslpipe.memory import memory_bytes

READERS: dict[tuple[int, int], Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by name (None: all), without unpickling.

    Raises:
        ValueError: if the file is damaged, claims more than it contains, or does not fit into memory.
        OSError: if it cannot be opened.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}
            wanted = {name: member for name, member in members.items() if names is None or name in names}
            require_memory(sum(member.file_size for member in wanted.values()))
            for name, member in wanted.items():
                with archive.open(member) as stream:
                    _, _, claimed = read_header(stream)
                    if stream.tell() + claimed != member.file_size:
                        raise ValueError(f"'{name}' claims {claimed} bytes, but has {member.file_size}")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in wanted}
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError) as problem:
        raise ValueError(str(problem) or type(problem).__name__) from problem


def npz_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz file; raises as `read_npz`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as problem:
        raise ValueError(str(problem) or type(problem).__name__) from problem


def read_header(stream: BinaryIO | Any) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, dtype and bytes of the array that a stream in the .npy format claims to contain.

    Raises:
        ValueError: if there is no such header, or the array contains objects.
    """
    version = npy.read_magic(stream)
    if version not in READERS:
        raise ValueError(f"version {version} of the .npy format is not supported")
    shape, _, dtype = READERS[version](stream)
    if dtype.hasobject:
        raise ValueError("it contains Python objects, which are not loaded")
    return shape, dtype, math.prod(shape) * dtype.itemsize


def require_memory(size: int) -> None:
    """Raise `ValueError` if this many bytes are more than the memory that this process may use."""
    memory = memory_bytes()
    if memory and size > memory:
        raise ValueError(f"it needs {size / 1e9:.0f} GB of memory, and this process may use {memory / 1e9:.0f} GB")
