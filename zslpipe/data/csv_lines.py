"""Reads tables as people save them (.csv, .tsv, .xlsx) and keeps line numbers, so that messages can name them."""

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from zslpipe.errors import InputError

Line = tuple[int, list[str]]  # line number in the file, from 1, and the stripped fields

SUFFIXES = (".csv", ".tsv", ".xlsx")
DELIMITERS = ",;\t"
YES = frozenset(["yes", "y", "true", "x", "✓", "✔", "ja", "oui", "sí", "si"])
NO = frozenset(["no", "n", "false", "nein", "non"])
EMPTY = frozenset(["", "?", "-", "–", "na", "n/a"])
SHOWN = 20  # problems listed in a message


class TableError(InputError):
    """Everything that is wrong with a table; `problems` are sentences that name file, line and column."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.problems = tuple(f"{path} {problem}" for problem in problems)
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        listed = "\n  ".join([*problems[:SHOWN], *more])
        super().__init__(
            self.problems[0] if len(problems) == 1 else f"{path} has {len(problems)} problems:\n  {listed}"
        )


def find_table(folder: Path, stem: str) -> Path | None:
    """The table `stem` in a folder, in any of the formats; None if there is none.

    Raises:
        InputError: if there are several.
    """
    found = [path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise InputError(f"{folder} has both {found[0].name} and {found[1].name}: remove one of them.")
    return found[0] if found else None


def read_lines(path: Path) -> list[Line]:
    """The non-blank lines, all with the same number of fields.

    CSV may be separated by commas, semicolons or tabs, and encoded in UTF-8, UTF-16 or Windows' Latin-1; of an .xlsx
    file the first sheet is read. Columns without a title and without values are left out.

    Raises:
        InputError: if the file is missing, empty or not a table, or lines have too few or too many fields.
    """
    if not path.is_file():
        raise InputError(f"file not found: {path}.")
    lines = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_text(path)
    lines = [(number, fields) for number, fields in lines if any(fields)]
    if not lines:
        raise InputError(f"{path} is empty.")
    titles = len(lines[0][1])
    width = max(i + 1 for _, fields in lines for i, field in enumerate(fields[:titles]) if field)
    lines = [(number, fields[:width] if not any(fields[width:]) else fields) for number, fields in lines]
    uneven = [f"line {n}: {len(fields)} fields, expected {width}." for n, fields in lines if len(fields) != width]
    if uneven:
        raise TableError(path, uneven)
    return lines


def _read_text(path: Path) -> list[Line]:
    try:
        text = _decode(path.read_bytes())
        titles = next((line for line in text.splitlines() if line.strip()), "")
        by_count = sorted(DELIMITERS, key=lambda d: -titles.count(d))
        parsed = [_parse(text, delimiter) for delimiter in by_count]
    except (OSError, UnicodeError, csv.Error) as problem:
        raise InputError(f"{path} cannot be read as a table ({problem}): save it as CSV in UTF-8.") from problem
    widths = [{len(fields) for _, fields in lines if any(fields)} for lines in parsed]
    return next((lines for lines, found in zip(parsed, widths) if len(found) == 1 and found != {1}), parsed[0])


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _parse(text: str, delimiter: str) -> list[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [(reader.line_num, [field.strip() for field in fields]) for fields in reader]


def _read_xlsx(path: Path) -> list[Line]:
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            f"{path}: reading .xlsx needs openpyxl (pip install 'zslpipe[xlsx]'), or save it as CSV."
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [["" if v is None else str(v).strip() for v in row] for row in book.worksheets[0].values]
        book.close()
    except Exception as problem:  # a damaged file can make the parser fail in any way
        raise InputError(f"{path} is not a readable .xlsx file ({problem}): save it again, or as CSV.") from problem
    width = max(map(len, rows), default=0)
    return [(number, [*fields, *[""] * (width - len(fields))]) for number, fields in enumerate(rows, start=1)]


def parse_cell(text: str) -> float | None:
    """The number in a cell: with a decimal point or comma, a percentage, yes or no; None if the cell is empty.

    Raises:
        ValueError: if it is none of these, or not finite.

    >>> [parse_cell(text) for text in ("0.5", "0,5", "50 %", "Yes", "false", "x", "")]
    [0.5, 0.5, 0.5, 1.0, 0.0, 1.0, None]
    """
    word = text.lower()
    if word in EMPTY:
        return None
    if word in YES or word in NO:
        return float(word in YES)
    number, percent = (text[:-1].rstrip(), 100) if text.endswith("%") else (text, 1)
    if re.fullmatch(r"[+-]?\d*,\d+", number):
        number = number.replace(",", ".")
    if "_" in number:  # for Python 1_0 is 10
        raise ValueError(text)
    value = float(number) / percent
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def parse_number(path: Path, line: int, column: str, text: str) -> float:
    """The finite number in `text`, as `parse_cell` reads it.

    Raises:
        InputError: if there is none; the message names file, line and column.
    """
    try:
        value = parse_cell(text)
    except ValueError:
        raise InputError(f"{path} {not_a_number(line, column, text)}") from None
    if value is None:
        raise InputError(f"{path} line {line}: the number is missing (column '{column}').")
    return value


def not_a_number(line: int, column: str, text: str) -> str:
    return f"line {line}: '{text}' is not a finite number (column '{column}')."


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """The rows as a CSV file in UTF-8."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
