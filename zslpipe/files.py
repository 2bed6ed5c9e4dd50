"""Atomic file writes, JSON and hashes."""

import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

REMOVED = ".removed"  # the end of the name of a folder that is being deleted


def temporary(path: Path) -> Path:
    """The temporary name of a file that has one writer at a time: a writer takes up what a killed one left behind."""
    return path.with_name(f".{path.name}.tmp")


@contextmanager
def renamed(unfinished: Path, path: Path) -> Iterator[Path]:
    """Write to `unfinished`, which is renamed to `path` if the block succeeds and deleted if it fails.

    The only place where a file gets its final name. The block must have synced the file to the disk.
    """
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException as problem:
        unfinished.unlink(missing_ok=True)
        if isinstance(problem, OSError) and problem.filename is None:
            problem.filename = str(path)  # the error of a full disk does not name the file
        raise


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing bytes that gets the name `path` only if the block succeeds.

    Any number of processes may write one path at a time: the last one to finish wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with renamed(unfinished, path), unfinished.open("xb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def remove_folder(path: Path) -> None:
    """Delete a folder. It is renamed first, so that what a kill leaves of it is never taken for a whole one."""
    removed = path
    if not path.name.endswith(REMOVED):
        removed = path.with_name(f".{path.name}.{secrets.token_hex(4)}{REMOVED}")
        path.rename(removed)
    while removed.exists():
        with suppress(FileNotFoundError):  # another process may be sweeping the same folder
            shutil.rmtree(removed)


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as stream:
        stream.write(text.encode())


@contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """As `atomic_write`, for text in UTF-8 whose line ends are written as they are given."""
    with atomic_write(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        try:
            yield text
            text.flush()
        finally:
            text.detach()  # `stream` is still to be synced


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an uncompressed .npz of plain arrays (readable without unpickling)."""
    with atomic_write(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hash of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sha256_rows(matrix: np.ndarray) -> str:
    """`sha256_json` of the rows of a matrix as lists, one row at a time: 50,000 classes would take a gigabyte."""
    digest = hashlib.sha256(b"[")
    for number, row in enumerate(matrix):
        digest.update(b"," if number else b"")
        digest.update(json.dumps(row.tolist(), separators=(",", ":")).encode())
    digest.update(b"]")
    return digest.hexdigest()
