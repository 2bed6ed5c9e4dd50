"""Word vectors from the files that people have, for names of several words."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.word_vectors import read_vectors, vectors_of
from zslpipe.data.words import plain
from zslpipe.errors import InputError

VECTORS = {
    "grizzly": [1.0, 0.0, 2.0],
    "bear": [3.0, 4.0, 0.0],
    "man": [0.5, 0.25, 1.0],
    "made": [1.5, 0.75, 0.0],
    "Paris": [9.0, 9.0, 9.0],
}


def write_text(path: Path, header: bool = False) -> Path:
    lines = [" ".join([word, *map(str, vector)]) for word, vector in VECTORS.items()]
    path.write_text("\n".join(([f"{len(lines)} 3"] if header else []) + lines) + "\n")
    return path


def write_binary(path: Path, newlines: bool = False) -> Path:
    end = b"\n" if newlines else b""
    words = [word.encode() + b" " + struct.pack("<3f", *vector) + end for word, vector in VECTORS.items()]
    path.write_bytes(f"{len(words)} 3\n".encode() + b"".join(words))
    return path


def write_npy(path: Path) -> Path:
    np.save(path, np.array(list(VECTORS.values())))
    path.with_suffix(".txt").write_text("\n".join(VECTORS) + "\n")
    return path


@pytest.fixture(params=["glove.txt", "headed.vec", "w2v.bin", "lines.bin", "rows.npy", "packed.txt.gz"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(write_text(tmp_path / "plain.txt").read_bytes()))
        return path
    if path.suffix == ".bin":
        return write_binary(path, newlines=path.stem == "lines")
    return write_npy(path) if path.suffix == ".npy" else write_text(path, header=path.suffix == ".vec")


def test_every_format_gives_the_same(file: Path) -> None:
    found = read_vectors(file, {"bear", "Paris", "nothing"})
    assert {word: vector.tolist() for word, vector in found.items()} == {w: VECTORS[w] for w in ("bear", "Paris")}


def test_names_are_means_of_their_words(file: Path) -> None:
    found = vectors_of(file, ["grizzly+bear", "001.Bear", "man-made", "paris", "unheard bear"], "class")
    expected = [[2, 2, 1], VECTORS["bear"], [1, 0.5, 0.5], VECTORS["Paris"], VECTORS["bear"]]
    np.testing.assert_allclose(found.vectors, expected)
    assert found.vectors.dtype == np.float32
    assert "lacks 1 words, which are left out: unheard" in found.notes[0]


def test_a_name_without_any_known_word_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match=rf"{file.name} has no word of the attribute 'has_wings'"):
        vectors_of(file, ["bear", "has_wings"], "attribute")


def test_words_with_spaces_are_read_from_the_right(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("bear 1 2\n. . . 3 4\n")
    assert read_vectors(tmp_path / "glove.txt", {". . ."})[". . ."].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("short.txt", b"bear 1 2\ncat 1\n", "line 2: 1 numbers, expected 2"),
        ("word.txt", b"bear 1 2\nbear x y\n", "line 2: not a word and 2 numbers"),
        ("nan.txt", b"bear nan 2\n", "the vector of 'bear' has NaN or infinity"),
        ("header.bin", b"hello\n", "does not start with the number of words"),
        ("cut.bin", b"2 2\nbear " + b"\0" * 8 + b"cat \0\0", "ends within word 2 of 2"),
        ("endless.bin", b"1 2\n" + b"x" * 2000, "ends or is damaged at word 1 of 1"),
        ("packed.bin.gz", b"no gzip", "cannot be read as word vectors"),
        ("alone.npy", None, "alone.npy is not a numeric"),
        ("other.h5", b"", "word vectors are read from GloVe"),
    ],
)
def test_bad_files_are_told_by_name(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    (tmp_path / name).write_bytes(content or b"x")
    with pytest.raises(InputError) as error:
        read_vectors(tmp_path / name, {"bear", "cat"})
    assert told in str(error.value)
    assert name in str(error.value)


def test_an_array_needs_as_many_words(tmp_path: Path) -> None:
    file = write_npy(tmp_path / "rows.npy")
    file.with_suffix(".txt").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"has shape \(5, 3\), but rows\.txt has 2 words"):
        read_vectors(file, {"one"})
    file.with_suffix(".txt").unlink()
    with pytest.raises(InputError, match=r"there is no file .*rows\.txt: put the words"):
        read_vectors(file, {"one"})


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("001.Black_footed_Albatross", "Black footed Albatross"),
        ("grizzly+bear", "grizzly bear"),
        ("man-made", "man-made"),
        ("has_bill_shape::curved_(up_or_down)", "has bill shape curved up or down"),
        ("diningTable", "dining Table"),
        ("Chuck_will's_Widow", "Chuck will's Widow"),
        ("élan vital", "élan vital"),
    ],
)
def test_names_in_plain_words(name: str, written: str) -> None:
    assert plain(name) == written
