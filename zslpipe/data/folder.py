"""A benchmark from a folder of images, one folder a class, and a table of the classes."""

from pathlib import Path

import numpy as np

from zslpipe.data.attributes import read_npy
from zslpipe.data.benchmark import Benchmark, ClassSplit, split_images
from zslpipe.data.class_table import CLASSES, IMAGES, VECTORS, ClassTable, read_class_table, read_image_table
from zslpipe.data.scan import class_of, scan_images, some
from zslpipe.errors import InputError
from zslpipe.files import sha256_file

TEST_SHARE = 0.2  # of the images of each seen class, where images.csv does not say


def read_folder(folder: Path, tables: Path | None = None, seed: int = 0) -> Benchmark:
    """Read `<folder>/<class>/<image>` with the tables that `zslpipe.data.class_table` describes.

    Without images.csv a seeded fifth of each seen class's images is test_seen. What is left out (files that are no
    images, images that images.csv does not list, classes without images) is told in the benchmark's `notes`.

    Args:
        folder: the images; or the tables with a folder `images` beside them.
        tables: where the tables lie; the folder itself where None, or the one above where it is named `images`.
        seed: of the drawn test images.

    Raises:
        InputError: in one sentence that names file, line and remedy.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}.")
    image_root, tables = _places(folder, tables)
    table = read_class_table(tables / CLASSES)
    scan = scan_images(image_root)
    own = {tables / f for f in (CLASSES, IMAGES, VECTORS)}
    notes = []
    others = [o for o in scan.others if image_root / o not in own]
    if others:
        notes.append(f"{len(others)} files that are not images are left out: {some(others)}.")

    listed = {image: part for _, image, part in _listed(tables, image_root, table, scan.images)}
    if listed:
        images = [i for i in scan.images if i in listed]
        strays = [i for i in scan.images if i not in listed]
        if strays:
            notes.append(f"{len(strays)} images that {IMAGES} does not list are left out: {some(strays)}.")
    else:
        images = [i for i in scan.images if "/" in i]
        strays = [i for i in scan.images if "/" not in i]
        if strays:
            notes.append(f"{len(strays)} images outside any class folder are left out: {some(strays)}.")
    classes = _classes_of(images, table, image_root, tables)
    described = _drop_empty(table, set(classes), notes)
    kept = np.array([table.classes.index(c) for c in described])

    index = {c: i for i, c in enumerate(described)}
    labels = np.array([index[c] for c in classes], np.int64)
    unseen = table.unseen[kept]
    if listed:
        parts = {p: np.flatnonzero([listed[i] == p for i in images]) for p in ("trainval", "test_seen", "test_unseen")}
    else:
        if unseen.all():
            raise InputError(f"{tables / CLASSES}: no seen class has an image to train on.")
        trainval, test_seen = split_images(labels, np.flatnonzero(~unseen), TEST_SHARE, seed)
        parts = {"trainval": trainval, "test_seen": test_seen, "test_unseen": np.flatnonzero(unseen[labels])}
        notes.append(f"there is no {IMAGES}: {TEST_SHARE:.0%} of the seen classes' images, seed {seed}, are test_seen.")
    vectors = _vectors(tables / VECTORS, len(table.attribute_names))
    try:
        return Benchmark(
            name=_name(folder),
            class_names=described,
            semantics=table.semantics[kept],
            attribute_names=table.attribute_names,
            image_ids=tuple(images),
            labels=labels,
            **parts,
            class_splits=_folds(table, kept, set(labels[parts["trainval"]].tolist()), notes),
            attribute_vectors=vectors,
            image_root=image_root,
            sources={f.name: sha256_file(f) for f in sorted(own) if f.is_file()},
            notes=tuple(notes),
        )
    except InputError as problem:
        raise InputError(f"{tables}: {str(problem).removeprefix(f'{_name(folder)}: ')}") from problem


def _name(folder: Path) -> str:
    folder = folder.absolute()
    return folder.parent.name if folder.name == "images" and folder.parent.name else folder.name


def _places(folder: Path, tables: Path | None) -> tuple[Path, Path]:
    """Where the images and where the tables lie."""
    if tables is not None:
        if not (tables / CLASSES).is_file():
            raise InputError(f"there is no {CLASSES} in {tables}; write one (class,split,attributes).")
        return folder, tables
    if (folder / CLASSES).is_file():
        return (folder / "images" if (folder / "images").is_dir() else folder), folder
    if folder.name == "images" and (folder.parent / CLASSES).is_file():
        return folder, folder.parent
    raise InputError(f"there is no {CLASSES} in {folder}; write one, or name the folder it lies in (--class-table).")


def _listed(tables: Path, root: Path, table: ClassTable, images: tuple[str, ...]) -> list[tuple[int, str, str]]:
    """The lines of images.csv, checked against the classes and the files; none where there is no such table."""
    path = tables / IMAGES
    if not path.is_file():
        return []
    rows = read_image_table(path)
    if not rows:
        raise InputError(f"{path} lists no image; list some or remove the file.")
    unseen, there = dict(zip(table.classes, table.unseen)), set(images)
    for line, image, part in rows:
        c = class_of(image, unseen)
        if c is None:
            raise InputError(f"{path} line {line}: image '{image}' lies in no folder of a class of {CLASSES}.")
        if unseen[c] != (part == "test_unseen"):
            kind = "unseen" if unseen[c] else "seen"
            raise InputError(f"{path} line {line}: image '{image}' is {part}, but class '{c}' is {kind}.")
        if image not in there:
            raise InputError(f"{path} line {line}: there is no image {root / image}; put it there or drop the line.")
    return rows


def _classes_of(images: list[str], table: ClassTable, root: Path, tables: Path) -> list[str]:
    classes = []
    names = set(table.classes)
    for image in images:
        c = class_of(image, names)
        if c is None:
            inside = root / Path(image).parent
            raise InputError(
                f"{inside} holds images, but {tables / CLASSES} has no line for it; add one or move it away."
            )
        classes.append(c)
    if not classes:
        raise InputError(f"{root} holds no image in a class folder; put them at {root}/<class>/<image>.")
    return classes


def _drop_empty(table: ClassTable, there: set[str], notes: list[str]) -> tuple[str, ...]:
    empty = [c for c in table.classes if c not in there]
    if empty:
        notes.append(f"{len(empty)} classes of {CLASSES} have no image and are left out: {some(empty)}.")
    return tuple(c for c in table.classes if c in there)


def _folds(table: ClassTable, kept: np.ndarray, trained: set[int], notes: list[str]) -> tuple[ClassSplit, ...]:
    splits = []
    for fold in table.folds:
        marks = [fold[k] for k in kept]
        train, val = (tuple(c for c, m in enumerate(marks) if m == part and c in trained) for part in ("train", "val"))
        if train and val:
            splits.append(ClassSplit(train, val))
    unused = len(table.folds) - len(splits)
    if unused:
        notes.append(f"{unused} validation folds of {CLASSES} lack train or val classes and are not used.")
    return tuple(splits)


def _vectors(path: Path, attributes: int) -> np.ndarray | None:
    if not path.is_file():
        return None
    vectors = read_npy(path)
    if vectors.ndim != 2 or len(vectors) != attributes:
        raise InputError(f"{path} has shape {vectors.shape}, but {CLASSES} has {attributes} attributes.")
    return vectors.astype(np.float32)
