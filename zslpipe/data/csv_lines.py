"""CSV files whose lines can be named when something on them is wrong."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from zslpipe.errors import InputError

Line = tuple[int, list[str]]  # the line's number in the file, from 1, and its fields without outer blanks


def read_lines(path: Path) -> list[Line]:
    """The lines that are not blank, each as long as the first.

    Raises:
        InputError: for a missing or empty file, one that is not CSV in UTF-8, a line of another length.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    lines: list[Line] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for fields in reader:
                if any(field.strip() for field in fields):
                    lines.append((reader.line_num, [field.strip() for field in fields]))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path} cannot be read as CSV in UTF-8 ({problem}).") from problem
    if not lines:
        raise InputError(f"{path} is empty.")
    for line, fields in lines:
        if len(fields) != len(lines[0][1]):
            raise InputError(f"{path} line {line}: {len(fields)} fields where {len(lines[0][1])} are expected.")
    return lines


def number(path: Path, line: int, column: str, text: str) -> float:
    """A finite number, or the sentence that says where there is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        shown = f"'{text}' is not a finite number" if text else "the number is missing"
        raise InputError(f"{path} line {line}: {shown} (column '{column}').")
    return value


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """What a CSV file of these rows holds."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
