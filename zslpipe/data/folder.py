"""Reads a benchmark from a folder of images with one subfolder per class, and a class table."""

from pathlib import Path

import numpy as np

from zslpipe.data.attributes import read_npy
from zslpipe.data.benchmark import Benchmark, ClassSplit, split_images
from zslpipe.data.class_table import (
    CLASSES,
    IMAGE_PARTS,
    IMAGES,
    VECTORS,
    ClassTable,
    read_class_table,
    read_image_table,
)
from zslpipe.data.scan import class_of, first_few, scan_images
from zslpipe.errors import InputError
from zslpipe.files import sha256_file

TEST_SHARE = 0.2  # share of each seen class's images in test_seen if there is no images.csv


def read_folder(folder: Path, tables: Path | None = None, seed: int = 0) -> Benchmark:
    """Read `<folder>/<class>/<image>` with the tables described in `zslpipe.data.class_table`.

    Without images.csv, a random fifth of the images of each seen class becomes test_seen. Classes without images are
    unseen classes. These and skipped files (not images, not listed in images.csv) are reported in the `notes`.

    Args:
        folder: the image folder, or a folder with the tables and a subfolder `images`.
        tables: folder of the tables; None: `folder` itself, or its parent if it is named `images`.
        seed: seed of the random test images.

    Raises:
        InputError: if a table or the folder is invalid; the message names file, line and remedy.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise InputError(f"folder not found: {folder}.")
    image_root, tables = _find_folders(folder, tables)
    table = read_class_table(tables / CLASSES)
    scan = scan_images(image_root)
    table_files = {tables / f for f in (CLASSES, IMAGES, VECTORS)}
    notes = []
    others = [o for o in scan.others if image_root / o not in table_files]
    if others:
        notes.append(f"{len(others)} files that are not images were skipped: {first_few(others)}.")
    listed = {image: part for _, image, part in _listed_images(tables, image_root, table, scan.images)}
    wanted = set(listed) or {i for i in scan.images if "/" in i}
    images = [i for i in scan.images if i in wanted]
    skipped = [i for i in scan.images if i not in wanted]
    if skipped:
        reason = f"not listed in {IMAGES}" if listed else "outside a class folder"
        notes.append(f"{len(skipped)} images {reason} were skipped: {first_few(skipped)}.")
    classes = _classes_of(images, table, image_root, tables)
    index = {c: i for i, c in enumerate(table.classes)}
    labels = np.array([index[c] for c in classes], np.int64)
    without = [c for c in table.classes if c not in set(classes)]
    if without:
        notes.append(f"classes without images: {len(without)}, candidates that cannot be tested: {first_few(without)}.")
    if listed:
        parts = {p: np.flatnonzero([listed[i] == p for i in images]) for p in IMAGE_PARTS}
    else:
        parts = _draw_split(labels, table.unseen, tables, seed, notes)
    vectors = _vectors(tables / VECTORS, len(table.attribute_names))
    try:
        return Benchmark(
            name=_name(folder),
            class_names=table.classes,
            semantics=table.semantics,
            attribute_names=table.attribute_names,
            image_ids=tuple(images),
            labels=labels,
            **parts,
            class_splits=_validation_folds(table, set(labels[parts["trainval"]].tolist()), notes),
            attribute_vectors=vectors,
            image_root=image_root,
            sources={f.name: sha256_file(f) for f in sorted(table_files) if f.is_file()},
            notes=tuple(notes),
        )
    except InputError as problem:
        raise InputError(f"{tables}: {str(problem).removeprefix(f'{_name(folder)}: ')}") from problem


def _draw_split(
    labels: np.ndarray, unseen: np.ndarray, tables: Path, seed: int, notes: list[str]
) -> dict[str, np.ndarray]:
    """The split without images.csv; `unseen` (C,) marks the unseen classes."""
    if unseen[labels].all():
        raise InputError(f"{tables / CLASSES}: no seen class has training images.")
    trainval, test_seen = split_images(labels, np.unique(labels[~unseen[labels]]), TEST_SHARE, seed)
    notes.append(f"there is no {IMAGES}: a random {TEST_SHARE:.0%} of each seen class is test_seen (seed {seed}).")
    return {"trainval": trainval, "test_seen": test_seen, "test_unseen": np.flatnonzero(unseen[labels])}


def _name(folder: Path) -> str:
    folder = folder.absolute()
    return folder.parent.name if folder.name == "images" and folder.parent.name else folder.name


def _find_folders(folder: Path, tables: Path | None) -> tuple[Path, Path]:
    """The folder of the images and the folder of the tables."""
    if tables is not None:
        if not (tables / CLASSES).is_file():
            raise InputError(f"there is no {CLASSES} in {tables}; create it (class,split,attributes).")
        return folder, tables
    if (folder / CLASSES).is_file():
        return (folder / "images" if (folder / "images").is_dir() else folder), folder
    if folder.name == "images" and (folder.parent / CLASSES).is_file():
        return folder, folder.parent
    raise InputError(f"there is no {CLASSES} in {folder}; create it, or give its folder with --class-table.")


def _listed_images(tables: Path, root: Path, table: ClassTable, images: tuple[str, ...]) -> list[tuple[int, str, str]]:
    """The lines of images.csv, checked against classes and files; empty if there is no images.csv."""
    path = tables / IMAGES
    if not path.is_file():
        return []
    rows = read_image_table(path)
    if not rows:
        raise InputError(f"{path} lists no images; add some or delete the file.")
    unseen, existing = dict(zip(table.classes, table.unseen)), set(images)
    for line, image, part in rows:
        c = class_of(image, unseen)
        if c is None:
            raise InputError(
                f"{path} line {line}: image '{image}' is not in the folder of a class listed in {CLASSES}."
            )
        if unseen[c] != (part == "test_unseen"):
            kind = "unseen" if unseen[c] else "seen"
            raise InputError(f"{path} line {line}: image '{image}' is {part}, but class '{c}' is {kind}.")
        if image not in existing:
            raise InputError(f"{path} line {line}: image not found: {root / image}; add it or delete the line.")
    return rows


def _classes_of(images: list[str], table: ClassTable, root: Path, tables: Path) -> list[str]:
    classes = []
    names = set(table.classes)
    for image in images:
        c = class_of(image, names)
        if c is None:
            inside = root / Path(image).parent
            raise InputError(
                f"{inside} contains images, but {tables / CLASSES} has no line for it; add one or move it."
            )
        classes.append(c)
    if not classes:
        raise InputError(f"{root} has no images in class folders; expected {root}/<class>/<image>.")
    return classes


def _validation_folds(table: ClassTable, trained: set[int], notes: list[str]) -> tuple[ClassSplit, ...]:
    splits = []
    for marks in table.folds:
        train, val = (tuple(c for c, m in enumerate(marks) if m == part and c in trained) for part in ("train", "val"))
        if train and val:
            splits.append(ClassSplit(train, val))
    unused = len(table.folds) - len(splits)
    if unused:
        notes.append(f"{unused} validation folds in {CLASSES} have no train or no val classes and are not used.")
    return tuple(splits)


def _vectors(path: Path, attributes: int) -> np.ndarray | None:
    if not path.is_file():
        return None
    vectors = read_npy(path)
    if vectors.ndim != 2 or len(vectors) != attributes:
        raise InputError(f"{path} has shape {vectors.shape}, but {CLASSES} has {attributes} attributes.")
    return vectors.astype(np.float32)
