"""Finds the images in a folder and its subfolders."""

import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from zslpipe.data.image_paths import IMAGE_SUFFIXES
from zslpipe.errors import InputError
from zslpipe.progress import track
from zslpipe.tar_members import SUFFIX, read_shard, sample_of

SHOWN = 3  # examples in a note
READERS = 2  # shards that are read at a time


@dataclass(frozen=True)
class Scan:
    """What a folder contains.

    Attributes:
        images: ids (relative paths with forward slashes), sorted; those in a .tar shard, `SHARD.tar/NAME`, come last
            and stay in the order of the shard, in which they are read fastest.
        others: the other files, including hidden ones.
        labels: what the .cls files of the shards (webdataset) say, by image.
    """

    images: tuple[str, ...]
    others: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


def scan_images(folder: Path, cache: Path | None = None) -> Scan:
    """List a folder recursively; symbolic links are followed, each folder is visited once.

    Shards are read once, and then again only if they have changed, if there is a folder `cache` for their indices.

    Raises:
        InputError: if the folder is missing or cannot be read, or a shard is damaged.
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
            (images if _is_image(path) else others).append(path)
    shards = sorted(name for name in others if name.endswith(SUFFIX) and not Path(name).name.startswith("."))
    others = [name for name in others if name not in set(shards)]
    labels: dict[str, str] = {}
    images.sort()
    with ThreadPoolExecutor(READERS) as pool:
        indices = pool.map(lambda name: read_shard(folder / name, cache), shards)
        for shard, index in zip(shards, track(indices, f"indexing the shards of {folder.name}", len(shards))):
            for name in filter(_is_image, index.names):
                images.append(f"{shard}/{name}")
                if (label := index.labels.get(sample_of(name))) is not None:
                    labels[images[-1]] = label
    return Scan(tuple(images), tuple(sorted(others)), labels)


def _is_image(name: str) -> bool:
    file = name.rpartition("/")[2]
    return Path(file).suffix.lower() in IMAGE_SUFFIXES and not file.startswith(".") and _is_text(name)


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
