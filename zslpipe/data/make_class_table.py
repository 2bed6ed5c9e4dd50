"""Writes the class tables of an image folder whose classes are described by a known dataset."""

import io
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from zslpipe.data.class_folders import normalize_name, suggest_class
from zslpipe.data.class_table import CLASSES, IMAGES, VECTORS, ClassTable, class_rows
from zslpipe.data.csv_lines import csv_bytes
from zslpipe.data.known_classes import KnownClasses
from zslpipe.data.scan import first_few, scan_images
from zslpipe.errors import InputError
from zslpipe.files import atomic_write


@dataclass(frozen=True)
class WrittenTables:
    """The files written, and sentences about what was skipped."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def make_class_table(known: KnownClasses, image_folder: Path, out: Path) -> WrittenTables:
    """Write the tables that make an image folder with some classes of a known benchmark a benchmark of its own.

    Class folders are matched by name. classes.csv gets the official seen and unseen classes, the semantics and all
    validation folds of the benchmark; images.csv the official split of the images that the benchmark lists (if it
    lists none, the file is omitted and `read_folder` picks test images at random); attribute_vectors.npy the word
    vectors. The files appear only once all are written, classes.csv last.

    Args:
        known: the classes of the known benchmark.
        image_folder: images at `<image_folder>/<class>/<image>`.
        out: the folder to write to.

    Raises:
        InputError: if no class folder has the name of a class of the benchmark, or two match the same class.
    """
    images = scan_images(image_folder).images
    folders = _match_folders(known, images)  # folder to class index
    if not folders:
        first = first_few(known.class_names)
        raise InputError(f"no folder in {image_folder} matches a class of {known.name} ({first}).")
    unmatched = sorted({str(PurePosixPath(i).parent) for i in images} - folders.keys())
    notes = []
    if unmatched:
        left = [name for c, name in enumerate(known.class_names) if c not in folders.values()]
        named = [f"{f} (did you mean {meant}?)" if (meant := suggest_class(f, left)) else f for f in unmatched]
        notes.append(f"folders that match no class: {len(unmatched)} ({first_few(named)}).")
    table = _class_table(known, folders)
    rows = _image_rows(known, images, folders, notes)

    if not rows:
        notes.append(f"{known.name} lists none of these images: test_seen is drawn when the folder is read.")
    contents = {CLASSES: csv_bytes(class_rows(table))}  # the first file opened is renamed last
    if rows:
        contents[IMAGES] = csv_bytes([("image", "split"), *rows])
    if known.attribute_vectors is not None:
        contents[VECTORS] = _npy(known.attribute_vectors)
    with ExitStack() as stack:
        for name, content in contents.items():
            stack.enter_context(atomic_write(out / name)).write(content)
        for name in {IMAGES, VECTORS} - contents.keys():  # left over from an earlier call
            (out / name).unlink(missing_ok=True)
    return WrittenTables(tuple(out / name for name in contents), tuple(notes))


def _match_folders(known: KnownClasses, images: tuple[str, ...]) -> dict[str, int]:
    """Maps folders with images to class indices."""
    exact = {name: c for c, name in enumerate(known.class_names)}
    normalized = [normalize_name(n) for n in known.class_names]
    counts = Counter(normalized)
    loose = {n: c for c, n in enumerate(normalized) if n and counts[n] == 1}
    folders: dict[str, int] = {}
    for folder in dict.fromkeys(str(PurePosixPath(i).parent) for i in images if "/" in i):
        name = PurePosixPath(folder).name
        c = next(
            (c for c in (exact.get(folder), exact.get(name), loose.get(normalize_name(name))) if c is not None), None
        )
        if c is None:
            continue
        if c in folders.values():
            other = next(f for f, k in folders.items() if k == c)
            raise InputError(f"folders {other} and {folder} both match class '{known.class_names[c]}'.")
        folders[folder] = c
    return folders


def _class_table(known: KnownClasses, folders: dict[str, int]) -> ClassTable:
    classes = sorted(folders, key=lambda f: folders[f])
    index = [folders[f] for f in classes]
    folds = []
    for split in known.class_splits:
        marks = {**dict.fromkeys(split.train, "train"), **dict.fromkeys(split.val, "val")}
        fold = tuple(marks.get(c, "") for c in index)
        if {"train", "val"} <= set(fold):
            folds.append(fold)
    return ClassTable(tuple(classes), known.unseen[index], tuple(folds), known.attribute_names, known.semantics[index])


def _image_rows(
    known: KnownClasses, images: tuple[str, ...], folders: dict[str, int], notes: list[str]
) -> list[tuple[str, str]]:
    rows, unlisted = [], []
    for image in images:
        path = PurePosixPath(image)
        part = known.parts.get((folders.get(str(path.parent), -1), path.name))
        if part:
            rows.append((image, part))
        else:
            unlisted.append(image)
    if rows and unlisted:
        notes.append(f"images not in the split of {known.name}, skipped: {len(unlisted)} ({first_few(unlisted)}).")
    return rows


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
