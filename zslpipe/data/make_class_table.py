"""Class tables for a folder of images whose classes a known benchmark describes."""

import io
import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.class_table import CLASSES, IMAGE_PARTS, IMAGES, VECTORS, ClassTable, class_rows
from zslpipe.data.csv_lines import csv_bytes
from zslpipe.data.scan import scan_images, some
from zslpipe.errors import InputError
from zslpipe.files import atomic_write


@dataclass(frozen=True)
class Written:
    """Which files were written, and sentences on what was left out."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_tables(benchmark: Benchmark, image_folder: Path, out: Path) -> Written:
    """Make a benchmark of its own of a folder that holds some of a known benchmark's classes.

    Class folders are found by name. classes.csv gets the official seen and unseen classes, the benchmark's semantics
    and all its validation folds; images.csv the official place of each image that the benchmark lists (no such file
    where it lists none: the folder reader then draws the test images); attribute_vectors.npy the word vectors.
    All are written before any takes its name, classes.csv last.

    Args:
        benchmark: the known one.
        image_folder: `<image_folder>/<class>/<image>`.
        out: the folder to write to.

    Raises:
        InputError: where no class folder bears a name of the benchmark's, or two bear the same.
    """
    images = scan_images(image_folder).images
    folders = _match_folders(benchmark, images)
    if not folders:
        first = some(benchmark.class_names)
        raise InputError(f"no folder in {image_folder} is named like a class of {benchmark.name} ({first}).")
    strange = {str(PurePosixPath(i).parent) for i in images} - folders.keys()
    notes = [f"{len(strange)} folders are not named like a class: {some(sorted(strange))}."] if strange else []
    table = _class_table(benchmark, folders, notes)
    rows = _image_rows(benchmark, images, {f: c for f, c in folders.items() if f in table.classes}, notes)

    if not rows:
        notes.append(f"{benchmark.name} lists none of these images: test images will be drawn when the folder is read.")
    contents = {CLASSES: csv_bytes(class_rows(table))}  # the first to be opened takes its name last
    if rows:
        contents[IMAGES] = csv_bytes([("image", "split"), *rows])
    if benchmark.attribute_vectors is not None:
        contents[VECTORS] = _npy(benchmark.attribute_vectors)
    with ExitStack() as stack:
        for name, content in contents.items():
            stack.enter_context(atomic_write(out / name)).write(content)
        for name in {IMAGES, VECTORS} - contents.keys():  # of tables that stood here before
            (out / name).unlink(missing_ok=True)
    return Written(tuple(out / name for name in contents), tuple(notes))


def plain(name: str) -> str:
    """A class name without what spellings differ in: leading numbers, case, and signs between words.

    >>> plain("001.Black_footed_Albatross") == plain("black footed albatross")
    True
    """
    return re.sub(r"[\W_]+", "", re.sub(r"^\d+[\W_]+", "", name).lower())


def _match_folders(benchmark: Benchmark, images: tuple[str, ...]) -> dict[str, int]:
    """Folders that hold images, to class indices."""
    exact = {name: c for c, name in enumerate(benchmark.class_names)}
    spelled = Counter(plain(n) for n in benchmark.class_names)
    loose = {plain(n): c for c, n in enumerate(benchmark.class_names) if spelled[plain(n)] == 1 and plain(n)}
    folders: dict[str, int] = {}
    for folder in dict.fromkeys(str(PurePosixPath(i).parent) for i in images if "/" in i):
        name = PurePosixPath(folder).name
        c = next((c for c in (exact.get(folder), exact.get(name), loose.get(plain(name))) if c is not None), None)
        if c is None:
            continue
        if c in folders.values():
            other = next(f for f, k in folders.items() if k == c)
            raise InputError(f"folders {other} and {folder} are both named like class '{benchmark.class_names[c]}'.")
        folders[folder] = c
    return folders


def _class_table(benchmark: Benchmark, folders: dict[str, int], notes: list[str]) -> ClassTable:
    seen, unseen = set(benchmark.seen_classes.tolist()), set(benchmark.unseen_classes.tolist())
    neither = [f for f, c in folders.items() if c not in seen | unseen]
    if neither:
        notes.append(f"{len(neither)} class folders are in no split of {benchmark.name}: {some(neither)}.")
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
    # a class and a file's name say which image it is, wherever the folders lie
    known = {(int(c), PurePosixPath(i).name): n for n, (i, c) in enumerate(zip(benchmark.image_ids, benchmark.labels))}
    rows, strays = [], []
    for image in images:
        path = PurePosixPath(image)
        row = known.get((folders.get(str(path.parent), -2), path.name), -1)
        if part_of.get(row):
            rows.append((image, part_of[row]))
        else:
            strays.append(image)
    if rows and strays:
        notes.append(f"{len(strays)} images are not in the split of {benchmark.name} and left out: {some(strays)}.")
    return rows


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
