"""Reads and formats the tables that turn a folder of images into a benchmark.

`classes.csv`     a header line `class,split,<attribute>,<attribute>,...`, then one line per class.
                  `class` is the name of the folder of its images. `split` is `seen` or `unseen`; `train` and `val` are
                  seen classes too and define a validation fold; if it is empty or missing, a split is made. More folds
                  go into columns named `fold2`, `fold3`, ..., with `train`, `val` or nothing in each line.
`images.csv`      optional; `image,class,split`: the path relative to the image folder, the class (by default that of
                  its folder), and `trainval`, `test_seen` or `test_unseen` (by default, drawn). Images that are not
                  listed are skipped.
`attribute_vectors.npy`   optional; (A, W), one word vector per attribute.

The tables may also be .tsv or .xlsx, see `zslpipe.data.csv_lines`.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zslpipe.data.csv_lines import EMPTY, YES, Line, TableError, not_a_number, parse_cell, read_lines
from zslpipe.errors import InputError

CLASSES, IMAGES, VECTORS = "classes.csv", "images.csv", "attribute_vectors.npy"
CLASS_PARTS = ("seen", "unseen", "train", "val")
IMAGE_PARTS = ("trainval", "test_seen", "test_unseen")
FOLD_COLUMN = re.compile(r"fold\d+")


@dataclass(frozen=True)
class ClassTable:
    """The contents of classes.csv.

    Args:
        classes: (C,) names of the classes and of their folders.
        unseen: (C,) bool.
        folds: per validation fold (C,) of `train`, `val` or the empty string.
        attribute_names: (A,).
        semantics: (C, A) float32.
        undecided: the classes without a split.
        notes: sentences about what was filled in.
    """

    classes: tuple[str, ...]
    unseen: np.ndarray
    folds: tuple[tuple[str, ...], ...]
    attribute_names: tuple[str, ...]
    semantics: np.ndarray
    undecided: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def read_class_table(path: Path) -> ClassTable:
    """Read classes.csv.

    Raises:
        TableError: for everything that is wrong, by line and column.
    """
    (_, header), *lines = read_lines(path)
    titles = [title.lower() for title in header]
    if "class" not in titles:
        raise InputError(f"{path} line 1: there is no column 'class', only {', '.join(header)}.")
    if not lines:
        raise InputError(f"{path} lists no classes.")
    problems = [f"line 1: two columns are named '{t}'." for t in sorted(set(header)) if t and header.count(t) > 1]
    problems += [f"line 1: column {i + 1} has no name." for i, title in enumerate(titles) if not title]
    named, split = titles.index("class"), titles.index("split") if "split" in titles else None
    fold_columns = [i for i, title in enumerate(titles) if FOLD_COLUMN.fullmatch(title)]
    attributes = [i for i in range(len(header)) if i not in (named, split, *fold_columns)]

    classes = _class_names(lines, named, problems)
    splits = ["" if split is None else fields[split].lower() for _, fields in lines]
    folds = []
    for (line, fields), part in zip(lines, splits):
        if part not in ("", *CLASS_PARTS):
            problems.append(f"line {line}: split '{fields[split or 0]}' is not one of {', '.join(CLASS_PARTS)}.")
        marks = [fields[i].lower() for i in fold_columns]
        for mark in marks:
            if mark not in (("",) if part == "unseen" else ("", "train", "val")):
                problems.append(f"line {line}: invalid fold mark '{mark}' for a class that is {part or 'seen'}.")
        folds.append((part if part in ("train", "val") else "", *marks))
    columns, filled = [], 0
    for i in attributes:
        column, empty = _attribute(header[i], [(line, fields[i]) for line, fields in lines], problems)
        columns.append(column)
        filled += empty
    if problems:
        raise TableError(path, sorted(problems, key=_line_of))
    note = f"empty cells of {path.name}, filled with the mean of their column: {filled}."
    return ClassTable(
        classes=classes,
        unseen=np.array([s == "unseen" for s in splits]),
        folds=tuple(fold for fold in zip(*folds) if any(fold)),
        attribute_names=tuple(header[i] for i in attributes),
        semantics=np.ascontiguousarray(np.array(columns, np.float32).reshape(len(attributes), len(lines)).T),
        undecided=frozenset(c for c, part in zip(classes, splits) if not part),
        notes=(note,) if filled else (),
    )


def _line_of(problem: str) -> int:
    """The line that a problem names; what is about a column comes last."""
    named = re.match(r"line (\d+)", problem)
    return int(named[1]) if named else sys.maxsize


def _class_names(lines: Sequence[Line], column: int, problems: list[str]) -> tuple[str, ...]:
    names: dict[str, int] = {}
    for line, fields in lines:
        name = fields[column].strip("/")
        if not name:
            problems.append(f"line {line}: the class name is empty.")
        elif name in names:
            problems.append(f"line {line}: class '{name}' is listed twice, first in line {names[name]}.")
        names.setdefault(name, line)
    return tuple(names)


def _attribute(name: str, cells: Sequence[tuple[int, str]], problems: list[str]) -> tuple[list[float], int]:
    """The values (C,) of an attribute, and how many empty cells were filled with the mean of the others.

    In a column of nothing but `x` or `yes`, an empty cell is a no.
    """
    values: list[float | None] = []
    wrong = []
    for line, text in cells:
        try:
            values.append(parse_cell(text))
        except ValueError:
            values.append(None)
            wrong.append(not_a_number(line, name, text))
    known = [value for value in values if value is not None]
    if not known:
        first = next((f" but texts like '{text}' (line {line})" for line, text in cells if text not in EMPTY), "")
        remedy = "write numbers, yes or no, or delete it" if first else "fill it in or delete it"
        problems.append(f"column '{name}' has no numbers{first}: {remedy}.")
        return [0.0] * len(values), 0
    problems += wrong
    marks = {text.lower() for value, (_, text) in zip(values, cells) if value is not None}
    if marks <= YES:
        return [value or 0.0 for value in values], 0
    mean = float(np.mean(known))
    return [mean if value is None else value for value in values], len(values) - len(known)


def class_rows(table: ClassTable) -> list[list[str]]:
    """The lines of classes.csv, header first; `read_class_table` restores the table exactly."""
    first, *more = table.folds or (("",) * len(table.classes),)
    rows = [["class", "split", *(f"fold{k}" for k in range(2, len(more) + 2)), *table.attribute_names]]
    for c, name in enumerate(table.classes):
        split = "unseen" if table.unseen[c] else first[c] or "seen"
        rows.append([name, split, *(fold[c] for fold in more), *(str(v) for v in table.semantics[c])])
    return rows


@dataclass(frozen=True)
class ListedImage:
    """A line of images.csv; `class_name` and `part` are empty if it does not state them."""

    line: int
    image: str
    class_name: str
    part: str


def read_image_table(path: Path) -> list[ListedImage]:
    """Read images.csv.

    Raises:
        TableError: for everything that is wrong, by line.
    """
    (_, header), *lines = read_lines(path)
    titles = [h.lower() for h in header]
    if "image" not in titles or not set(titles) <= {"image", "class", "split"}:
        raise InputError(f"{path} line 1: the header must be image,class,split, not {','.join(header)}.")
    images: dict[str, ListedImage] = {}
    problems = []
    for line, fields in lines:
        row = dict(zip(titles, fields))
        image, part = row["image"].replace("\\", "/").removeprefix("./"), row.get("split", "").lower()
        if not image or image.startswith("/") or ".." in image.split("/"):
            problems.append(f"line {line}: '{row['image']}' is not a path inside the image folder.")
        elif image in images:
            problems.append(f"line {line}: image '{image}' is already listed in line {images[image].line}.")
        elif part not in ("", *IMAGE_PARTS):
            problems.append(f"line {line}: split '{row['split']}' is not one of {', '.join(IMAGE_PARTS)}.")
        images.setdefault(image, ListedImage(line, image, row.get("class", "").strip("/"), part))
    if problems:
        raise TableError(path, problems)
    return list(images.values())
