"""Reads and formats the tables that turn a folder of images into a benchmark.

`classes.csv`     a header line `class,split,<attribute>,<attribute>,...`, then one line per class.
                  `class` is the folder of its images, relative to the image folder. `split` is `seen` or `unseen`;
                  `train` and `val` are seen classes too and define a validation fold. More folds go into columns
                  named `fold2`, `fold3`, ..., with `train`, `val` or nothing in each line.
`images.csv`      optional; `image,split`: the path relative to the image folder, and `trainval`, `test_seen` or
                  `test_unseen`. Images that are not listed are skipped.
`attribute_vectors.npy`   optional; (A, W), one word vector per attribute.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zslpipe.data.csv_lines import parse_number, read_lines
from zslpipe.errors import InputError

CLASSES, IMAGES, VECTORS = "classes.csv", "images.csv", "attribute_vectors.npy"
CLASS_PARTS = ("seen", "unseen", "train", "val")
IMAGE_PARTS = ("trainval", "test_seen", "test_unseen")
FOLD_COLUMN = re.compile(r"fold\d+")


@dataclass(frozen=True)
class ClassTable:
    """The contents of classes.csv.

    Args:
        classes: (C,) folders of the classes.
        unseen: (C,) bool.
        folds: per validation fold (C,) of `train`, `val` or the empty string.
        attribute_names: (A,).
        semantics: (C, A) float32.
    """

    classes: tuple[str, ...]
    unseen: np.ndarray
    folds: tuple[tuple[str, ...], ...]
    attribute_names: tuple[str, ...]
    semantics: np.ndarray


def read_class_table(path: Path) -> ClassTable:
    """Read classes.csv.

    Raises:
        InputError: for the first invalid line, which it names.
    """
    (_, header), *lines = read_lines(path)
    if [h.lower() for h in header[:2]] != ["class", "split"]:
        raise InputError(f"{path} line 1: the header must start with class,split, not {','.join(header[:2])}.")
    if not lines:
        raise InputError(f"{path} lists no classes.")
    fold_columns = [i for i, title in enumerate(header) if i > 1 and FOLD_COLUMN.fullmatch(title)]
    attributes = [i for i in range(2, len(header)) if i not in fold_columns]

    rows: dict[str, list[float]] = {}
    splits, folds = [], []
    for line, fields in lines:
        name, split = fields[0].strip("/"), fields[1].lower()
        if not name:
            raise InputError(f"{path} line {line}: the class name is empty.")
        if name in rows:
            raise InputError(f"{path} line {line}: class '{name}' is listed twice.")
        if split not in CLASS_PARTS:
            raise InputError(f"{path} line {line}: split '{fields[1]}' is not one of {', '.join(CLASS_PARTS)}.")
        marks = [fields[i].lower() for i in fold_columns]
        for mark in marks:
            if mark not in (("",) if split == "unseen" else ("", "train", "val")):
                raise InputError(f"{path} line {line}: invalid fold mark '{mark}' for a class that is {split}.")
        rows[name] = [parse_number(path, line, header[i], fields[i]) for i in attributes]
        splits.append(split)
        folds.append((split if split in ("train", "val") else "", *marks))
    return ClassTable(
        classes=tuple(rows),
        unseen=np.array([s == "unseen" for s in splits]),
        folds=tuple(fold for fold in zip(*folds) if any(fold)),
        attribute_names=tuple(header[i] for i in attributes),
        semantics=np.array(list(rows.values()), np.float32).reshape(len(rows), len(attributes)),
    )


def class_rows(table: ClassTable) -> list[list[str]]:
    """The lines of classes.csv, header first; `read_class_table` restores the table exactly."""
    first, *more = table.folds or (("",) * len(table.classes),)
    rows = [["class", "split", *(f"fold{k}" for k in range(2, len(more) + 2)), *table.attribute_names]]
    for c, name in enumerate(table.classes):
        split = "unseen" if table.unseen[c] else first[c] or "seen"
        rows.append([name, split, *(fold[c] for fold in more), *(str(v) for v in table.semantics[c])])
    return rows


def read_image_table(path: Path) -> list[tuple[int, str, str]]:
    """Line number, image id and part of the split for each image listed in images.csv.

    Raises:
        InputError: for the first invalid line, which it names.
    """
    (_, header), *lines = read_lines(path)
    if [h.lower() for h in header] != ["image", "split"]:
        raise InputError(f"{path} line 1: the header must be image,split, not {','.join(header)}.")
    images: dict[str, tuple[int, str, str]] = {}
    for line, (name, part) in lines:
        image = name.replace("\\", "/").removeprefix("./")
        if not image or image.startswith("/") or ".." in image.split("/"):
            raise InputError(f"{path} line {line}: '{name}' is not a path inside the image folder.")
        if image in images:
            raise InputError(f"{path} line {line}: image '{image}' is already listed in line {images[image][0]}.")
        if part.lower() not in IMAGE_PARTS:
            raise InputError(f"{path} line {line}: split '{part}' is not one of {', '.join(IMAGE_PARTS)}.")
        images[image] = (line, image, part.lower())
    return list(images.values())
