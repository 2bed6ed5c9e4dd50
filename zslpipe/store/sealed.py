"""Durable files and their checksums; sealed files, which are JSON with its own checksum.

Every file of a store gets its temporary name from its final one. A writer that was killed leaves at most that one
name behind, and the writer that repeats its work overwrites it: nothing needs to be cleaned up.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from zslpipe.errors import ZslpipeError
from zslpipe.files import renamed, temporary
from zslpipe.json_types import shown


class Sum(NamedTuple):
    """The size and checksum of a file."""

    bytes: int
    sha256: str


class Broken(Exception):
    """A sealed file is damaged; the message says how, without naming it."""


def write_durable(path: Path, *parts: bytes | memoryview) -> Sum:
    """Write the parts as one file that is synced to the disk before it is renamed to `path`."""
    digest, size = hashlib.sha256(), 0
    with renamed(temporary(path), path) as unfinished, unfinished.open("wb", buffering=0) as stream:
        for part in parts:
            left = memoryview(part).cast("B")
            digest.update(left)
            size += len(left)
            while len(left):  # an unbuffered write may be partial
                left = left[stream.write(left) :]
        os.fsync(stream.fileno())
    return Sum(size, digest.hexdigest())


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the names in these folders durable, on systems that can open a folder."""
    for folder in folders:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except PermissionError:  # Windows, which keeps a journal of names instead
            continue
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sum_of(path: Path) -> Sum:
    with path.open("rb") as stream:
        return Sum(os.fstat(stream.fileno()).st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def read_sums(value: Any) -> dict[str, Sum]:
    """Sums by the names of their files, as they are kept in JSON: [bytes, sha256].

    Raises:
        Broken: if the value is anything else.
    """
    if not isinstance(value, dict):
        raise Broken("has no checksums")
    for name, one in value.items():
        if not isinstance(one, list) or [type(part) for part in one] != [int, str]:
            raise Broken(f"has no usable checksum of {shown(name)}")
    return {name: Sum(*one) for name, one in value.items()}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def seal(value: dict[str, Any]) -> dict[str, Any]:
    """The value with its own checksum under the key "sha256"."""
    return {**value, "sha256": hashlib.sha256(_canonical(value)).hexdigest()}


def is_sealed(value: Any) -> bool:
    """Whether the value is a dictionary with its own, correct checksum."""
    return isinstance(value, dict) and seal({k: v for k, v in value.items() if k != "sha256"}) == value


def sealed_bytes(value: dict[str, Any]) -> bytes:
    return _canonical(seal(value))


def parse_sealed(content: bytes) -> dict[str, Any]:
    """The value that `sealed_bytes` encoded.

    Raises:
        Broken: if a single byte differs from what was written, even one that does not change the JSON value.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Broken("is not readable") from problem
    if not is_sealed(value) or _canonical(value) != content:
        raise Broken("does not match its own checksum")
    return value


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a sealed file; raises OSError if it cannot be read, `Broken` if it is damaged."""
    return parse_sealed(path.read_bytes())


@contextmanager
def explain_os_errors(what: str) -> Iterator[None]:
    """Turn an OSError of the block into a `ZslpipeError` that begins with `what`."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ZslpipeError(f"{what} ({reason}): fix this and run again, finished pieces are kept.") from problem
