"""Finds the images in a folder and its subfolders."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from zslpipe.data.image_paths import IMAGE_SUFFIXES
from zslpipe.errors import InputError

SHOWN = 3  # examples in a note


@dataclass(frozen=True)
class Scan:
    """Sorted image ids (relative paths with forward slashes) and the other files, including hidden ones."""

    images: tuple[str, ...]
    others: tuple[str, ...]


def scan_images(folder: Path) -> Scan:
    """List a folder recursively; symbolic links are followed, each folder is visited once.

    Raises:
        InputError: if the folder is missing or cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"folder not found: {folder}.")

    def unreadable(problem: OSError) -> None:
        raise InputError(f"{problem.filename} cannot be read ({problem.strerror}); check its permissions.")

    images: list[str] = []
    others: list[str] = []
    visited: set[tuple[int, int]] = set()
    for parent, subfolders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in visited:  # a link to a parent
            subfolders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(d for d in subfolders if not d.startswith(".") and d != "__MACOSX")
        for name in files:
            path = Path(parent, name).relative_to(folder).as_posix()
            is_image = Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".") and _is_text(path)
            (images if is_image else others).append(path)
    return Scan(tuple(sorted(images)), tuple(sorted(others)))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8 cannot be stored in our files
        return False
    return True


def first_few(names: Collection[str]) -> str:
    """The first few names, for use in a message."""
    shown = [n.encode("utf-8", "replace").decode() for n in list(names)[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > SHOWN else "")
