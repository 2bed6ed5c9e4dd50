"""Reads a benchmark from a folder of images with one subfolder per class, and a class table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zslpipe.data.attributes import read_npy
from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.data.class_folders import ClassFolders, suggest_class
from zslpipe.data.class_table import (
    CLASSES,
    IMAGES,
    VECTORS,
    ClassTable,
    ListedImage,
    read_class_table,
    read_image_table,
)
from zslpipe.data.csv_lines import SHOWN, SUFFIXES, TableError, find_table
from zslpipe.data.draw_split import draw_parts, draw_unseen
from zslpipe.data.scan import Scan, first_few, scan_images
from zslpipe.errors import InputError
from zslpipe.files import sha256_file
from zslpipe.tar_members import SUFFIX


@dataclass(frozen=True)
class _Tables:
    """The files that describe a folder of images; only that of the classes must exist."""

    folder: Path
    classes: Path
    images: Path | None
    vectors: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(f for f in (self.classes, self.images, self.vectors) if f is not None and f.is_file())


def read_folder(folder: Path, tables: Path | None = None, seed: int = 0, cache: Path | None = None) -> Benchmark:
    """Read the images in class folders, with the tables described in `zslpipe.data.class_table`.

    The images may be in .tar shards in the layout of webdataset: an image's class is what its .cls file says (a name,
    or a number that counts the classes of the table from 0), or the folder within the shard.

    A class folder may be below other folders. Classes without images are unseen. What the tables leave open is drawn:
    see `zslpipe.data.draw_split`. This, and skipped files (not images, not listed in images.csv), are reported in the
    `notes` of the benchmark.

    Args:
        folder: the image folder, or a folder with the tables and a subfolder `images`.
        tables: folder of the tables, or the class table itself; None: `folder`, or its parent if it is named `images`.
        seed: seed of what is drawn.
        cache: folder for the indices of shards.

    Raises:
        InputError: if a table or the folder is invalid; the message names file, line and remedy.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise InputError(f"folder not found: {folder}.")
    image_root, found = _find_tables(folder, tables)
    table = read_class_table(found.classes)
    notes = list(table.notes)
    scan = scan_images(image_root, cache)
    _note_others(scan, image_root, found, notes)
    listed = _listed_images(found, image_root, scan.images)
    class_of = _find_classes(found, table, image_root, scan, listed, notes)
    images = [i for i in scan.images if i in class_of]
    index = {c: i for i, c in enumerate(table.classes)}
    labels = np.array([index[class_of[i]] for i in images], np.int64)
    unseen = draw_unseen(table, labels, seed, notes)
    _check_listed(found, listed, class_of, dict(zip(table.classes, unseen)))
    stated = [listed[i].part if listed else "" for i in images]
    if unseen[labels].all():
        raise InputError(f"{found.classes}: no seen class has training images.")
    parts = draw_parts(labels, unseen, stated, seed, notes)
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
            attribute_vectors=_vectors(found.vectors, len(table.attribute_names)),
            image_root=image_root,
            sources={f.name: sha256_file(f) for f in sorted(found.files)},
            notes=tuple(notes),
        )
    except InputError as problem:
        raise InputError(f"{found.folder}: {str(problem).removeprefix(f'{_name(folder)}: ')}") from problem


def _name(folder: Path) -> str:
    folder = folder.absolute()
    return folder.parent.name if folder.name == "images" and folder.parent.name else folder.name


def _find_tables(folder: Path, given: Path | None) -> tuple[Path, _Tables]:
    """The folder of the images, and the tables."""
    if given is not None and given.suffix.lower() in SUFFIXES:
        return folder, _Tables(given.parent, given, find_table(given.parent, "images"), given.parent / VECTORS)
    places = [given] if given else [folder, *([folder.parent] if folder.name == "images" else [])]
    for place in places:
        classes = find_table(place, "classes")
        if classes is not None:
            inside = given is None and place == folder and (folder / "images").is_dir()
            images = folder / "images" if inside else folder
            return images, _Tables(place, classes, find_table(place, "images"), place / VECTORS)
    if given is not None:
        raise InputError(f"there is no {CLASSES} in {given}; create it (class,split,attributes).")
    raise InputError(
        f"there is no {CLASSES} in {folder}: 'zslpipe data init {folder}' writes one to fill in, or give its folder "
        "with --class-table."
    )


def _note_others(scan: Scan, root: Path, tables: _Tables, notes: list[str]) -> None:
    others = [o for o in scan.others if root / o not in tables.files]
    if others:
        notes.append(f"files that are not images, skipped: {len(others)} ({first_few(others)}).")


def _listed_images(tables: _Tables, root: Path, images: tuple[str, ...]) -> dict[str, ListedImage]:
    """The lines of images.csv by image; empty if there is no images.csv."""
    if tables.images is None:
        return {}
    rows = read_image_table(tables.images)
    if not rows:
        raise InputError(f"{tables.images} lists no images; add some or delete the file.")
    existing = set(images)
    missing = [
        f"line {row.line}: image not found: {root / row.image}; add it or delete the line."
        for row in rows
        if row.image not in existing
    ]
    if missing:
        raise TableError(tables.images, missing)
    return {row.image: row for row in rows}


def _find_classes(
    tables: _Tables,
    table: ClassTable,
    root: Path,
    scan: Scan,
    listed: Mapping[str, ListedImage],
    notes: list[str],
) -> dict[str, str]:
    """The class of each image that is used."""
    images = scan.images
    wanted = [i for i in images if (i in listed if listed else "/" in i)]
    skipped = len(images) - len(wanted)
    if skipped:
        reason = f"not listed in {IMAGES}" if listed else "outside a class folder"
        used = set(wanted)
        left = [i for i in images if i not in used]
        notes.append(f"images {reason}, skipped: {skipped} ({first_few(left)}).")
    if not wanted:
        raise InputError(f"{root} has no images in class folders; expected {root}/<class>/<image>.")
    folders = ClassFolders(table.classes)
    said = {i: _class_said(i, label, table.classes) for i, label in scan.labels.items()}
    found = {i: (listed[i].class_name if listed else "") or said.get(i) or folders.class_of(i) for i in wanted}
    if listed:
        wrong = [
            f"line {listed[i].line}: image '{i}' is not in the folder of a class listed in {tables.classes.name}."
            if not listed[i].class_name
            else f"line {listed[i].line}: class '{c}' is not listed in {tables.classes.name}."
            for i, c in found.items()
            if c not in folders.classes
        ]
        if wrong:
            assert tables.images is not None
            raise TableError(tables.images, wrong)
    unknown = sorted({i.rpartition("/")[0] for i, c in found.items() if c is None})
    if unknown:
        without = sorted(folders.classes - set(found.values()))
        raise InputError(f"{tables.classes} {_no_lines(unknown, table.classes, without)}")
    respelled = [f"{folder} ({c})" for folder, c in folders.respelled().items()]
    if respelled:
        notes.append(f"folders spelled unlike their classes: {len(respelled)} ({first_few(respelled)}).")
    return {i: c for i, c in found.items() if c is not None}


def _class_said(image: str, label: str, classes: tuple[str, ...]) -> str:
    """The class that a .cls file means, by its name or its number."""
    if label in classes:
        return label
    if label.isdecimal() and int(label) < len(classes):
        return classes[int(label)]
    raise InputError(
        f"the .cls file of {image} says '{label}', which is neither a class of the table nor one of the numbers from 0 "
        f"to {len(classes) - 1}: correct the table or the shard."
    )


def _no_lines(folders: list[str], classes: tuple[str, ...], without: list[str]) -> str:
    """What is wrong with folders of images that are no class; classes `without` images are suggested first."""
    named = []
    for folder in folders[:SHOWN]:
        meant = suggest_class(folder, without) or suggest_class(folder, classes)
        named.append(f"'{folder}'" + (f" (did you mean '{meant}'?)" if meant else ""))
    more = ", ..." if len(folders) > SHOWN else ""
    shards = " Images in a shard may have .cls files instead." if folders[0].endswith(SUFFIX) else ""
    return (
        f"has no line for these folders of images: {', '.join(named)}{more}; add lines, or rename or move the folders."
        f"{shards}"
    )


def _check_listed(
    tables: _Tables, listed: Mapping[str, ListedImage], class_of: Mapping[str, str], unseen: Mapping[str, bool]
) -> None:
    """Refuse lines of images.csv that contradict the class table."""
    wrong = []
    for image, row in listed.items():
        c = class_of[image]
        if row.part and unseen[c] != (row.part == "test_unseen"):
            kind = "unseen" if unseen[c] else "seen"
            wrong.append(f"line {row.line}: image '{image}' is {row.part}, but class '{c}' is {kind}.")
    if wrong:
        assert tables.images is not None
        raise TableError(tables.images, wrong)


def _validation_folds(table: ClassTable, trained: set[int], notes: list[str]) -> tuple[ClassSplit, ...]:
    splits = []
    for marks in table.folds:
        train, val = (tuple(c for c, m in enumerate(marks) if m == part and c in trained) for part in ("train", "val"))
        if train and val:
            splits.append(ClassSplit(train, val))
    unused = len(table.folds) - len(splits)
    if unused:
        notes.append(f"validation folds in {CLASSES} without train or val classes, not used: {unused}.")
    return tuple(splits)


def _vectors(path: Path, attributes: int) -> np.ndarray | None:
    if not path.is_file():
        return None
    vectors = read_npy(path)
    if vectors.ndim != 2 or len(vectors) != attributes:
        raise InputError(f"{path} has shape {vectors.shape}, but {CLASSES} has {attributes} attributes.")
    return vectors.astype(np.float32)
