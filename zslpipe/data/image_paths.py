"""Image paths: makes listed paths relative, finds the image folder, lists missing images."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from zslpipe.errors import InputError
from zslpipe.tar_members import file_exists

IMAGE_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"])
MARKERS = ("images", "jpegimages", "jpg")  # names of the image folders in the well-known datasets
SAMPLED = 64  # number of ids looked for when folders are compared


def relative_ids(paths: Sequence[str]) -> tuple[str, ...]:
    """Image ids from listed paths: the part after the last marker folder, else the paths without their common parents.

    >>> relative_ids(["/BS/MSc/CUB_200_2011/images/001.A/x.jpg", "/BS/MSc/CUB_200_2011/images/002.B/y.jpg"])
    ('001.A/x.jpg', '002.B/y.jpg')
    """
    parts = [tuple(p for p in path.replace("\\", "/").split("/") if p not in ("", ".")) for path in paths]
    for row, names in enumerate(parts, start=1):
        if not names or ".." in names:
            raise InputError(f"image_files row {row} is not a valid image path: '{paths[row - 1]}'.")
    below = [_below_marker(names) for names in parts]
    if all(below) and len(set(below)) == len(set(parts)):
        return tuple("/".join(names) for names in below)
    common = _common_parents(parts) if any(path.startswith(("/", "\\")) or ":" in path for path in paths) else 0
    return tuple("/".join(names[common:]) for names in parts)


def _below_marker(names: tuple[str, ...]) -> tuple[str, ...]:
    places = [i for i, name in enumerate(names[:-1]) if name.lower() in MARKERS]
    return names[places[-1] + 1 :] if places else ()


def _common_parents(parts: list[tuple[str, ...]]) -> int:
    first, last = min(parts), max(parts)
    shorter = min(len(first), len(last)) - 1
    return next((i for i in range(shorter) if first[i] != last[i]), shorter)


def make_ids_unique(ids: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Append '#2', '#3', ... to repeated ids (aPY lists a photo once per object); also returns how many changed."""
    taken = set(ids)
    count: dict[str, int] = {}
    unique = []
    for i in ids:
        count[i] = count.get(i, 0) + 1
        name = i
        while count[i] > 1 and (name := f"{i}#{count[i]}") in taken:
            count[i] += 1
        taken.add(name)
        unique.append(name)
    return tuple(unique), len(ids) - len(count)


def find_image_root(candidates: Sequence[Path], ids: Sequence[str]) -> Path | None:
    """The candidate folder with most of a sample of the images; None if no folder has any."""
    sample = [ids[i] for i in np.unique(np.linspace(0, len(ids) - 1, SAMPLED).astype(int))] if ids else []
    best, most = None, 0
    for folder in candidates:
        if folder.is_dir():
            count = sum((folder / i).is_file() for i in sample)
            if count > most:
                best, most = folder, count
    return best


def missing_images(image_root: Path | None, ids: Sequence[str]) -> list[str]:
    """The ids without a file."""
    return list(ids) if image_root is None else [i for i in ids if not file_exists(image_root / PurePosixPath(i))]
