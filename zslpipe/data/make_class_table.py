"""Writes the class tables of an image folder whose classes are described by a known benchmark."""

import io
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.class_folders import normalize_name
from zslpipe.data.class_table import CLASSES, IMAGE_PARTS, IMAGES, VECTORS, ClassTable, class_rows
from zslpipe.data.csv_lines import csv_bytes
from zslpipe.data.scan import first_few, scan_images
from zslpipe.errors import InputError
from zslpipe.files import atomic_write


@dataclass(frozen=True)
class WrittenTables:
    """The files written, and sentences about what was skipped."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def make_class_table(benchmark: Benchmark, image_folder: Path, out: Path) -> WrittenTables:
    """Write the tables that make an image folder with some classes of a known benchmark a benchmark of its own.

    Class folders are matched by name. classes.csv gets the official seen and unseen classes, the semantics and all
    validation folds of the benchmark; images.csv the official split of the images that the benchmark lists (if it
    lists none, the file is omitted and `read_folder` picks test images at random); attribute_vectors.npy the word
    vectors. The files appear only once all are written, classes.csv last.

    Args:
        benchmark: the known benchmark.
        image_folder: images at `<image_folder>/<class>/<image>`.
        out: the folder to write to.

    Raises:
        InputError: if no class folder has the name of a class of the benchmark, or two match the same class.
    """
    images = scan_images(image_folder).images
    folders = _match_folders(benchmark, images)  # folder to class index
    if not folders:
        first = first_few(benchmark.class_names)
        raise InputError(f"no folder in {image_folder} matches a class of {benchmark.name} ({first}).")
    unmatched = {str(PurePosixPath(i).parent) for i in images} - folders.keys()
    notes = [f"{len(unmatched)} folders match no class: {first_few(sorted(unmatched))}."] if unmatched else []
    table = _class_table(benchmark, folders, notes)
    rows = _image_rows(benchmark, images, {f: c for f, c in folders.items() if f in table.classes}, notes)

    if not rows:
        notes.append(f"{benchmark.name} lists none of these images: test_seen is drawn when the folder is read.")
    contents = {CLASSES: csv_bytes(class_rows(table))}  # the first file opened is renamed last
    if rows:
        contents[IMAGES] = csv_bytes([("image", "split"), *rows])
    if benchmark.attribute_vectors is not None:
        contents[VECTORS] = _npy(benchmark.attribute_vectors)
    with ExitStack() as stack:
        for name, content in contents.items():
            stack.enter_context(atomic_write(out / name)).write(content)
        for name in {IMAGES, VECTORS} - contents.keys():  # left over from an earlier call
            (out / name).unlink(missing_ok=True)
    return WrittenTables(tuple(out / name for name in contents), tuple(notes))


def _match_folders(benchmark: Benchmark, images: tuple[str, ...]) -> dict[str, int]:
    """Maps folders with images to class indices."""
    exact = {name: c for c, name in enumerate(benchmark.class_names)}
    normalized = [normalize_name(n) for n in benchmark.class_names]
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
            raise InputError(f"folders {other} and {folder} both match class '{benchmark.class_names[c]}'.")
        folders[folder] = c
    return folders


def _class_table(benchmark: Benchmark, folders: dict[str, int], notes: list[str]) -> ClassTable:
    seen, unseen = set(benchmark.seen_classes.tolist()), set(benchmark.unseen_classes.tolist())
    neither = [f for f, c in folders.items() if c not in seen | unseen]
    if neither:
        notes.append(f"{len(neither)} class folders are in no split of {benchmark.name}: {first_few(neither)}.")
    kept = sorted((f for f in folders if f not in neither), key=lambda f: folders[f])
    index = [folders[f] for f in kept]
    folds = []
    for split in benchmark.class_splits:
        marks = {**dict.fromkeys(split.train, "train"), **dict.fromkeys(split.val, "val")}
        fold = tuple(marks.get(c, "") for c in index)
        if {"train", "val"} <= set(fold):
            folds.append(fold)
    return ClassTable(
        classes=tuple(kept),
        unseen=np.array([c in unseen for c in index], bool),
        folds=tuple(folds),
        attribute_names=benchmark.attribute_names,
        semantics=benchmark.semantics[index],
    )


def _image_rows(
    benchmark: Benchmark, images: tuple[str, ...], folders: dict[str, int], notes: list[str]
) -> list[tuple[str, str]]:
    part_of = dict.fromkeys(range(len(benchmark.labels)), "")
    for part in IMAGE_PARTS:
        part_of.update(dict.fromkeys(getattr(benchmark, part).tolist(), part))
    # class and file name identify an image, wherever the folders are
    known = {(int(c), PurePosixPath(i).name): n for n, (i, c) in enumerate(zip(benchmark.image_ids, benchmark.labels))}
    rows, unlisted = [], []
    for image in images:
        path = PurePosixPath(image)
        row = known.get((folders.get(str(path.parent), -2), path.name), -1)
        if part_of.get(row):
            rows.append((image, part_of[row]))
        else:
            unlisted.append(image)
    if rows and unlisted:
        count = len(unlisted)
        notes.append(f"{count} images not in the split of {benchmark.name} were skipped: {first_few(unlisted)}.")
    return rows


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
