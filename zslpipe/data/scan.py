"""The images below a folder, told apart from what else lies there."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from zslpipe.data.image_paths import IMAGE_SUFFIXES
from zslpipe.errors import InputError

SHOWN = 3  # examples in a note


@dataclass(frozen=True)
class Scan:
    """Sorted image ids (paths with forward slashes) and the other files, hidden ones among them."""

    images: tuple[str, ...]
    others: tuple[str, ...]


def scan_images(folder: Path) -> Scan:
    """Look through a folder and all below it, links included, each place once.

    Raises:
        InputError: where the folder is missing or cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}.")

    def unreadable(problem: OSError) -> None:
        raise InputError(f"{problem.filename} cannot be read ({problem.strerror}); check its permissions.")

    images: list[str] = []
    others: list[str] = []
    visited: set[tuple[int, int]] = set()
    for place, below, files in os.walk(folder, onerror=unreadable, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in visited:  # a link back up
            below.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        below[:] = sorted(d for d in below if not d.startswith(".") and d != "__MACOSX")
        for name in files:
            path = Path(place, name).relative_to(folder).as_posix()
            is_image = Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".") and _is_text(path)
            (images if is_image else others).append(path)
    return Scan(tuple(sorted(images)), tuple(sorted(others)))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 could not be written to any of our files
        return False
    return True


def class_of(image: str, classes: Collection[str]) -> str | None:
    """The class whose folder the image lies in, at whatever depth."""
    parts = image.split("/")
    return next((c for k in range(1, len(parts)) if (c := "/".join(parts[:k])) in classes), None)


def some(names: Collection[str]) -> str:
    """A few of the names, for a sentence."""
    shown = [n.encode("utf-8", "replace").decode() for n in list(names)[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > SHOWN else "")
