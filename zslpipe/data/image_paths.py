"""Where images lie: foreign absolute paths made relative, the folder found, what is missing told."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from zslpipe.errors import InputError

IMAGE_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"])
MARKERS = ("images", "jpegimages", "jpg")  # the folders below which the well-known data sets keep their images
SAMPLED = 64  # ids that are looked for when folders are compared


def relative_ids(paths: Sequence[str]) -> tuple[str, ...]:
    """Image ids from the paths a file lists: what follows the last marker folder, else what is not common to all.

    >>> relative_ids(["/BS/MSc/CUB_200_2011/images/001.A/x.jpg", "/BS/MSc/CUB_200_2011/images/002.B/y.jpg"])
    ('001.A/x.jpg', '002.B/y.jpg')
    """
    parts = [tuple(p for p in path.replace("\\", "/").split("/") if p not in ("", ".")) for path in paths]
    for row, names in enumerate(parts, start=1):
        if not names or ".." in names:
            raise InputError(f"image_files row {row} is no path of an image: '{paths[row - 1]}'.")
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


def number_repeats(ids: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Ids made unique by '#2', '#3', ... (aPY lists a photo once for each object on it), and how many were changed."""
    taken = set(ids)
    times: dict[str, int] = {}
    unique = []
    for i in ids:
        times[i] = times.get(i, 0) + 1
        name = i
        while times[i] > 1 and (name := f"{i}#{times[i]}") in taken:
            times[i] += 1
        taken.add(name)
        unique.append(name)
    return tuple(unique), len(ids) - len(times)


def find_image_root(candidates: Sequence[Path], ids: Sequence[str]) -> Path | None:
    """The candidate folder that holds most of a sample of the images; None where none holds any."""
    sample = [ids[i] for i in np.unique(np.linspace(0, len(ids) - 1, SAMPLED).astype(int))] if ids else []
    best, most = None, 0
    for folder in candidates:
        if folder.is_dir():
            count = sum((folder / i).is_file() for i in sample)
            if count > most:
                best, most = folder, count
    return best


def missing_images(image_root: Path | None, ids: Sequence[str]) -> list[str]:
    """The ids of which there is no file."""
    return list(ids) if image_root is None else [i for i in ids if not (image_root / PurePosixPath(i)).is_file()]
