"""Reads CSV files and keeps line numbers, so that error messages can name them."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from zslpipe.errors import InputError

Line = tuple[int, list[str]]  # line number in the file, from 1, and the stripped fields


def read_lines(path: Path) -> list[Line]:
    """The non-blank lines, all with the same number of fields.

    Raises:
        InputError: if the file is missing, empty or not CSV in UTF-8, or a line has too few or too many fields.
    """
    if not path.is_file():
        raise InputError(f"file not found: {path}.")
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
            raise InputError(f"{path} line {line}: {len(fields)} fields, expected {len(lines[0][1])}.")
    return lines


def parse_number(path: Path, line: int, column: str, text: str) -> float:
    """The finite number in `text`.

    Raises:
        InputError: if it is not one; the message names file, line and column.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        reason = f"'{text}' is not a finite number" if text else "the number is missing"
        raise InputError(f"{path} line {line}: {reason} (column '{column}').")
    return value


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """The rows as a CSV file in UTF-8."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
