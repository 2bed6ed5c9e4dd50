"""Semantics from words: names or short texts of the classes, through word vectors or a sentence encoder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from zslpipe.data.attributes import numbered
from zslpipe.data.benchmark import Benchmark
from zslpipe.data.csv_lines import read_lines
from zslpipe.data.scan import first_few
from zslpipe.data.word_vectors import vectors_of
from zslpipe.data.words import plain, words_of
from zslpipe.errors import InputError
from zslpipe.files import sha256_file
from zslpipe.registry import unknown

Encode = Callable[[Mapping[str, str]], np.ndarray]  # class to text (or an empty one) -> semantics (C, A)


@dataclass(frozen=True)
class TextSpec:
    """`KIND[@MODEL][:FILE]`, such as `text`, `text:sentences.csv`, `words:glove.6B.300d.txt`."""

    kind: str
    model: str = ""
    file: Path | None = None

    @classmethod
    def of(cls, spec: str) -> Self:
        front, colon, file = spec.partition(":")
        kind, _, model = front.partition("@")
        return cls(kind, model, Path(file).expanduser() if colon else None)

    def __str__(self) -> str:
        """The specification, with the absolute path of the file."""
        model, file = f"@{self.model}" if self.model else "", f":{self.file.resolve()}" if self.file else ""
        return f"{self.kind}{model}{file}"


def class_texts(names: Sequence[str], table: Path | None = None) -> list[str]:
    """What is encoded of each class: its name as in a sentence, or its text in a table with the columns class and text.

    Raises:
        InputError: if a class has no text, or names are mere numbers.
    """
    if table is None:
        nameless = [name for name in names if not any(letter.isalpha() for word in words_of(name) for letter in word)]
        if nameless:
            raise InputError(
                f"{len(nameless)} classes have no name in words (such as '{nameless[0]}'): give a table of class,text, "
                "as in text:FILE.csv."
            )
        return [plain(name) for name in names]
    texts = read_texts(table)
    for name in texts:
        if name not in names:
            raise InputError(f"{table}: {unknown('class', name, names)}")
    missing = [name for name in names if name not in texts]
    if missing:
        raise InputError(f"{table} has no text for {len(missing)} classes: {first_few(missing)}; add lines.")
    return in_words(texts, names)


def read_texts(table: Path) -> Mapping[str, str]:
    """Class to text, from a table with these two columns; the text may be empty.

    Raises:
        InputError: if it is no such table, or a class is there twice.
    """
    lines = read_lines(table)
    titles = [title.casefold() for title in lines[0][1]]
    if titles != ["class", "text"]:
        raise InputError(f"{table} line 1: expected the columns class,text, not {','.join(lines[0][1])}.")
    texts: dict[str, str] = {}
    for line, (name, text) in lines[1:]:
        if name in texts:
            raise InputError(f"{table} line {line}: class '{name}' is listed twice.")
        texts[name] = text
    return texts


def in_words(texts: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """The texts of classes, or their names as in a sentence where the text is empty."""
    return [texts[name] or plain(name) for name in names]


def from_words(benchmark: Benchmark, spec: TextSpec) -> Benchmark:
    """The benchmark with the mean word vector of each class name as semantics."""
    if spec.file is None:
        raise InputError("the semantics 'words' need a file of word vectors, as in words:glove.6B.300d.txt.")
    found = vectors_of(spec.file, benchmark.class_names, "class")
    source = f"words {spec.file.name} {sha256_file(spec.file)}"
    return _noted(described(benchmark, found.vectors, source), found.notes)


def from_sentences(benchmark: Benchmark, spec: TextSpec) -> Benchmark:
    """The benchmark with the embedding of each class's name or text as semantics."""
    from zslpipe.data.sentence_encoder import sentence_encoder

    texts = class_texts(benchmark.class_names, spec.file)
    encoder = sentence_encoder(spec.model)
    source = f"text {encoder.name}" + (f" {spec.file.name} {sha256_file(spec.file)}" if spec.file else "")
    return described(benchmark, encoder(texts), source)


def described(benchmark: Benchmark, semantics: np.ndarray, source: str) -> Benchmark:
    """The benchmark with semantics whose dimensions have no names."""
    return benchmark.with_semantics(semantics, numbered(semantics.shape[1]), source)


def with_attribute_vectors(benchmark: Benchmark, path: Path) -> Benchmark:
    """The benchmark with the mean word vector of each attribute's name, for heads that attend by attributes.

    Raises:
        InputError: if the file cannot be read, or has none of the words of an attribute.
    """
    found = vectors_of(path, benchmark.attribute_names, "attribute")
    sources = {**benchmark.sources, "attribute vectors": f"{path.name} {sha256_file(path)}"}
    return _noted(replace(benchmark, attribute_vectors=found.vectors, sources=sources), found.notes)


def _noted(benchmark: Benchmark, notes: Sequence[str]) -> Benchmark:
    return replace(benchmark, notes=(*benchmark.notes, *notes))


TEXTS: Mapping[str, Callable[[Benchmark, TextSpec], Benchmark]] = {"text": from_sentences, "words": from_words}
