"""Reads a table of classes that are added to a trained head: described by its attributes, without images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zslpipe.data.class_table import FOLD_COLUMN
from zslpipe.data.csv_lines import EMPTY, YES, Line, TableError, not_a_number, parse_cell, read_lines
from zslpipe.data.scan import first_few
from zslpipe.data.texts import Encode, read_texts
from zslpipe.errors import InputError
from zslpipe.registry import nearest

UNIT = 1e-3  # how far lengths may be from one in semantics of unit length
WIDER = 5.0  # values this many times larger than any in training are taken for another scale


@dataclass(frozen=True, eq=False)
class NewClasses:
    """Classes with their semantics, on the scale of those that the head was trained with.

    Attributes:
        names: (K,).
        semantics: (K, A) float32.
    """

    names: tuple[str, ...]
    semantics: np.ndarray


def read_new_classes(
    path: Path, class_names: Sequence[str], semantics: np.ndarray, attribute_names: Sequence[str]
) -> NewClasses:
    """Read a CSV file with a column `class` and one column per attribute, in any order.

    Columns are matched by name, without regard to case; a column `split` and columns of other names are ignored, and
    so are rows of classes that are already known. If the known semantics are of unit length, as those of the xlsa17
    files are, the new ones are scaled to unit length too. Where classes are marked with `x` or `yes`, an empty cell is
    a no, as in the table of the training; other cells must not be empty.

    Args:
        path: the file.
        class_names: (C,) known classes.
        semantics: (C, A) of the known classes.
        attribute_names: (A,).

    Raises:
        InputError: if an attribute is missing, a value is on another scale, or no class is new.
        TableError: for all cells that are wrong, by line and column.
    """
    (_, header), *lines = read_lines(path)
    titles = [title.casefold() for title in header]
    if "class" not in titles:
        raise InputError(f"{path} line 1: there is no column 'class'; add one with the names of the new classes.")
    name_column = titles.index("class")
    columns = _columns(path, header, attribute_names)
    problems: list[str] = []
    listed: dict[str, Line] = {}
    for line, fields in lines:
        name = fields[name_column].strip("/")
        if not name:
            problems.append(f"line {line}: the class name is empty.")
        elif name in listed:
            problems.append(f"line {line}: class '{name}' is listed twice, first in line {listed[name][0]}.")
        listed.setdefault(name, (line, fields))
    new = {name: line for name, line in listed.items() if name and name not in class_names}
    marks = any(text.lower() in YES for _, fields in new.values() for text in (fields[i] for i in columns))
    values = []
    for i, known in zip(columns, semantics.T):
        cells = [(line, fields[i]) for line, fields in new.values()]
        is_mark = marks and np.isin(known, (0, 1)).all() and all(text.lower() in YES | EMPTY for _, text in cells)
        values.append(_column(header[i], cells, 0.0 if is_mark else None, problems))
    if problems:
        raise TableError(path, problems)
    if not new:
        raise InputError(f"{path} describes no new class: all of its classes are known already.")
    return NewClasses(tuple(new), on_scale(str(path), tuple(new), np.array(values, np.float32).T, semantics))


def _column(name: str, cells: Sequence[tuple[int, str]], empty: float | None, problems: list[str]) -> list[float]:
    """The values (K,) of an attribute; `empty` is that of an empty cell, None if there must not be any."""
    values = []
    for line, text in cells:
        try:
            value = parse_cell(text)
        except ValueError:
            problems.append(not_a_number(line, name, text))
            continue
        value = empty if value is None else value
        if value is None:
            problems.append(f"line {line}: the number is missing (column '{name}').")
        else:
            values.append(value)
    return values


def read_new_texts(path: Path, class_names: Sequence[str], encode: Encode) -> NewClasses:
    """Read a table with the columns class and text, for a head whose semantics come from words.

    Args:
        path: the file; a class without a text is described by its name.
        class_names: (C,) known classes; their rows are ignored.
        encode: makes the semantics.

    Raises:
        InputError: if it is no such table, or no class is new.
    """
    texts = {name: text for name, text in read_texts(path).items() if name not in class_names}
    if not texts:
        raise InputError(f"{path} describes no new class: all of its classes are known already.")
    return NewClasses(tuple(texts), np.asarray(encode(texts), np.float32))


def _columns(path: Path, header: Sequence[str], attribute_names: Sequence[str]) -> list[int]:
    """The column of each attribute."""
    places = {title.casefold(): i for i, title in enumerate(header)}
    missing = [name for name in attribute_names if name.casefold() not in places]
    if missing:
        wanted = {name.casefold() for name in attribute_names}
        spare = [t for t in header if t.casefold() not in {*wanted, "class", "split"} and not FOLD_COLUMN.fullmatch(t)]
        near = nearest(missing[0], spare)
        hint = f" (is it '{near[0]}'?)" if near else ""
        raise InputError(
            f"{path} lacks {len(missing)} of the {len(attribute_names)} attributes of the training: "
            f"{first_few(missing)}{hint}; add a column for each."
        )
    return [places[name.casefold()] for name in attribute_names]


def on_scale(source: str, names: tuple[str, ...], values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The values (K, A) on the scale of the known semantics (C, A).

    Raises:
        InputError: if a class has no attributes, or values of another scale; `source` is where it comes from.
    """
    if unit_length(known):
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        if not lengths.all():
            raise InputError(f"{source}: all attributes of '{names[int(lengths.argmin())]}' are 0; describe the class.")
        return np.asarray(values / lengths)
    largest, usual = np.abs(values).max(axis=1), float(np.abs(known).max())
    if (largest > WIDER * usual).any():
        worst = int(largest.argmax())
        raise InputError(
            f"{source}: '{names[worst]}' has a value of {largest[worst]:g}, but in training none exceeded {usual:g}: "
            "describe new classes on the same scale."
        )
    return values


def unit_length(semantics: np.ndarray) -> bool:
    """Whether every row (C, A) is of unit length, as those of the xlsa17 files are."""
    return bool(np.allclose(np.linalg.norm(semantics, axis=1), 1, atol=UNIT))
