"""Word vectors from a file: those of the words that are asked for, and of names that consist of several."""

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from zslpipe.data.attributes import read_npy
from zslpipe.data.scan import first_few
from zslpipe.data.words import words_of
from zslpipe.errors import InputError

FORMATS = "GloVe's text (.txt, .vec), word2vec's binary (.bin), either with .gz, or .npy with its words in a .txt"
LONGEST = 1000  # bytes of a word: more means that the file is not what its name says
WIDEST = 100_000


class Named(NamedTuple):
    """Vectors of names.

    Attributes:
        vectors: (N, W) float32.
        notes: sentences about words that the file does not have.
    """

    vectors: np.ndarray
    notes: tuple[str, ...]


def vectors_of(path: Path, names: Sequence[str], kind: str) -> Named:
    """The mean vector of the words of each name; words that the file lacks are left out.

    Args:
        path: in one of `FORMATS`.
        names: (N,), such as "grizzly+bear".
        kind: what they are names of, for messages: "class", "attribute".

    Raises:
        InputError: if the file cannot be read, or has none of the words of a name.
    """
    found = read_vectors(path, {form for name in names for word in words_of(name) for form in forms(word)})
    rows, unknown = [], []
    for name in names:
        known = []
        for word in words_of(name):
            vectors = _lookup(word, found)
            known += vectors
            unknown += [] if vectors else [word]
        if not known:
            raise InputError(f"{path} has no word of the {kind} '{name}': rename it, or use another file.")
        rows.append(np.mean(known, axis=0, dtype=np.float64))
    lacking = sorted(set(unknown))
    some = (f"{path.name} lacks {len(lacking)} words, which are left out: {first_few(lacking)}.",) if lacking else ()
    return Named(np.array(rows, np.float32), some)


def forms(word: str) -> list[str]:
    """The spellings under which a word is looked up; of a word with hyphens then its parts."""
    whole = [word, word.lower(), word.capitalize()]
    return list(dict.fromkeys([*whole, *(form for part in word.split("-") if part != word for form in forms(part))]))


def _lookup(word: str, found: dict[str, np.ndarray]) -> list[np.ndarray]:
    for form in (word, word.lower(), word.capitalize()):
        if form in found:
            return [found[form]]
    parts = [part for part in word.split("-") if part != word]
    return [vector for part in parts for vector in _lookup(part, found)]


def read_vectors(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors (W,) of the `wanted` words that a file has. Only these are kept: such files have gigabytes.

    Raises:
        InputError: if the file is missing or is not in one of `FORMATS`.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    readers = {".txt": _text, ".vec": _text, ".bin": _binary, ".npy": _array}
    if suffix not in readers:
        raise InputError(f"{path}: word vectors are read from {FORMATS}.")
    try:
        found = {word: vector for word, vector in readers[suffix](path) if word in wanted}
    except (OSError, EOFError, ValueError, zlib.error) as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"{path} cannot be read as word vectors ({problem}): expected {FORMATS}.") from problem
    bad = [word for word, vector in found.items() if not np.isfinite(vector).all()]
    if bad:
        raise InputError(f"{path}: the vector of '{bad[0]}' has NaN or infinity.")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        yield stream  # type: ignore[misc]


def _text(path: Path) -> Iterable[tuple[str, np.ndarray]]:
    """Lines of a word and its numbers; a first line of two numbers, as word2vec writes it, is skipped."""
    width = None
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            fields = line.decode("utf-8", errors="replace").rstrip().split(" ")
            if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
                continue
            if width is None:
                width = len(fields) - 1
            if len(fields) <= width or width < 1:
                raise InputError(f"{path} line {number}: {len(fields) - 1} numbers, expected {width}.")
            # Some words of GloVe contain spaces.
            word, values = " ".join(fields[:-width]), fields[-width:]
            try:
                yield word, np.array(values, np.float32)
            except ValueError:
                raise InputError(f"{path} line {number}: not a word and {width} numbers.") from None


def _binary(path: Path) -> Iterable[tuple[str, np.ndarray]]:
    """word2vec's: a line with the number of words and their width, then for each the word, a space and float32s."""
    with _opened(path) as stream:
        header = stream.readline(LONGEST).split()
        if len(header) != 2 or not all(part.isdigit() for part in header) or not 0 < int(header[1]) <= WIDEST:
            raise InputError(f"{path} does not start with the number of words and their width.")
        count, width = map(int, header)
        for number in range(1, count + 1):
            word = bytearray()
            while (letter := stream.read(1)) != b" ":
                if not letter or len(word) > LONGEST:
                    raise InputError(f"{path} ends or is damaged at word {number} of {count}.")
                word += letter
            content = stream.read(4 * width)
            if len(content) < 4 * width:
                raise InputError(f"{path} ends within word {number} of {count}.")
            yield word.decode("utf-8", errors="replace").lstrip("\n"), np.frombuffer(content, "<f4")


def _array(path: Path) -> Iterable[tuple[str, np.ndarray]]:
    """Rows of an array; the words are in a .txt of the same name, one a line."""
    vectors, names = read_npy(path), path.with_suffix(".txt")
    if not names.is_file():
        raise InputError(f"there is no file {names}: put the words of {path.name} there, one a line.")
    words = names.read_text(encoding="utf-8").splitlines()
    if vectors.ndim != 2 or len(vectors) != len(words):
        raise InputError(f"{path} has shape {vectors.shape}, but {names.name} has {len(words)} words.")
    return zip(words, vectors.astype(np.float32))
