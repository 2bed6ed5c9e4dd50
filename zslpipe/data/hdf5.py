"""HDF5 files of others: what they contain themselves, and nothing that they point to elsewhere on the disk."""

import math
from functools import lru_cache
from pathlib import Path

import h5py

from zslpipe.data.matlab5 import ParserError, try_hdf5
from zslpipe.errors import InputError


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, after another process has tried it: some files crash or stall the library.

    Raises:
        InputError: if they do, or the file cannot be opened.
    """
    _try(path.absolute(), path.stat().st_size, path.stat().st_mtime_ns)
    return h5py.File(path, "r")


@lru_cache(maxsize=64)
def _try(path: Path, size: int, changed: int) -> None:
    try:
        try_hdf5(path)
    except ParserError as problem:
        raise InputError(f"{path} is not a readable HDF5 file ({problem}); download or export it again.") from problem


def own_datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The datasets at the top level, by name.

    Raises:
        InputError: if one of the names is a link to another file.
    """
    found = {}
    for name in file:
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise InputError(f"{file.filename}: '{name}' is a link to another file: export the data into one file.")
        if not isinstance(link, h5py.HardLink):
            continue  # it may lead through a link to another file
        item = file[name]
        if isinstance(item, h5py.Dataset):
            require_own(item, name)
            found[name] = item
    return found


def whole_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """The dataset `name`, if the file contains all of it.

    Raises:
        InputError: if it does not, or the values are in other files.
    """
    data = own_datasets(file)[name]
    require_whole(data, name)
    return data


def require_own(data: h5py.Dataset, name: str) -> None:
    """Raise `InputError` if the values of a dataset are in other files."""
    if isinstance(data, h5py.Dataset) and (data.is_virtual or data.external):
        raise InputError(
            f"{data.file.filename}: the values of '{name}' are in other files: export the data into one file."
        )


def require_whole(data: h5py.Dataset, name: str) -> None:
    """Raise `InputError` if a dataset claims more than was written; HDF5 would read the rest as zeros."""
    if not data.size:
        return
    file = Path(data.file.filename)
    if data.chunks is None:
        whole = data.id.get_storage_size() >= data.size * data.dtype.itemsize
    else:
        needed = math.prod(-(-length // chunk) for length, chunk in zip(data.shape, data.chunks))
        whole = data.id.get_num_chunks() == needed
    if not whole or data.id.get_storage_size() > file.stat().st_size:
        raise InputError(f"{file}: '{name}' {data.shape} was not written completely: export it again.")
