"""Semantics from names and texts of classes."""

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zslpipe.data import sentence_encoder as encoders
from zslpipe.data.benchmark import Benchmark
from zslpipe.data.semantics import load_semantics
from zslpipe.data.texts import class_texts, with_attribute_vectors
from zslpipe.errors import InputError


@pytest.fixture
def named(tiny: tuple[Benchmark, np.ndarray]) -> Benchmark:
    animals = ["ant", "bear", "cat", "dog", "eel", "fox", "goat", "hare", "ibis", "jay", "kite", "lynx"]
    return replace(tiny[0], class_names=tuple(f"{i:03d}.grey_{a}" for i, a in enumerate(animals)))


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that counts letters."""

    def encoder(model: str = "") -> encoders.SentenceEncoder:
        class Model:
            def encode(self, texts: Sequence[str], **_: Any) -> np.ndarray:
                return np.array([[text.count(letter) for letter in "abcdefgh"] for text in texts], float)

        return encoders.SentenceEncoder(model or "letters", Model())

    monkeypatch.setattr(encoders, "sentence_encoder", encoder)


@pytest.mark.usefixtures("letters")
def test_names_and_texts(named: Benchmark, tmp_path: Path) -> None:
    by_name = load_semantics(named, "text")
    assert by_name.semantics.shape == (12, 8)
    assert by_name.semantics[0].tolist() == [1, 0, 0, 0, 1, 0, 1, 0]  # grey ant
    assert by_name.sources["semantics"] == "text letters"
    lines = [f"{name},a grey animal: {name[4:]}" for name in named.class_names[1:]]
    (tmp_path / "t.csv").write_text("\n".join(["class,text", f"{named.class_names[0]},", *lines]))
    by_text = load_semantics(named, f"text@other:{tmp_path / 't.csv'}")
    assert by_text.semantics[0].tolist() == by_name.semantics[0].tolist()  # no text, so its name
    assert by_text.semantics[1][0] == by_name.semantics[1][0] + 3  # "a", "animal"
    assert by_text.sources["semantics"].startswith("text other t.csv ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name,text\na,b\n", "line 1: expected the columns class,text"),
        ("class,text\n000.grey_ant,x\n000.grey_ant,y\n", "line 3: class '000.grey_ant' is listed twice"),
        ("class,text\n000.grey_ant,x\n", "has no text for 11 classes: 001.grey_bear"),
        ("class,text\n000.grey_aunt,x\n", "unknown class '000.grey_aunt': did you mean 000.grey_ant"),
    ],
)
def test_bad_tables_of_texts(named: Benchmark, tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError) as error:
        class_texts(named.class_names, tmp_path / "t.csv")
    assert told in str(error.value)


def test_classes_that_are_only_numbered_have_no_text() -> None:
    with pytest.raises(InputError, match=r"2 classes have no name in words \(such as '7'\): give a table"):
        class_texts(("cat", "7", "8.jpg"[:1]))


def test_word_vectors_of_classes_and_attributes(named: Benchmark, tmp_path: Path) -> None:
    animals = [name.split("_")[1] for name in named.class_names]
    file = tmp_path / "glove.txt"
    file.write_text("\n".join(f"{word} {i} 1" for i, word in enumerate(["attribute", "grey", *animals])))
    described = load_semantics(named, f"words:{file}")
    np.testing.assert_allclose(described.semantics, [[(1 + 2 + i) / 2, 1] for i in range(12)])
    assert described.sources["semantics"].startswith("words glove.txt ")
    words = with_attribute_vectors(named, file)
    assert words.attribute_vectors is not None
    assert words.attribute_vectors.tolist() == [[0, 1]] * 6  # "attribute 3": the number is no word of the file
    assert "lacks 6 words" in words.notes[-1]
    assert words.sources["attribute vectors"].startswith("glove.txt ")
    with pytest.raises(InputError, match="need a file of word vectors, as in words:"):
        load_semantics(named, "words")


def test_an_absent_encoder_is_asked_for_with_the_pip_line(monkeypatch: pytest.MonkeyPatch, named: Benchmark) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    encoders.sentence_encoder.cache_clear()
    with pytest.raises(InputError, match=r"need a sentence encoder: pip install 'zslpipe\[text\]'"):
        load_semantics(named, "text")


@pytest.mark.slow
def test_the_packaged_encoder_knows_what_is_alike(named: Benchmark) -> None:
    pytest.importorskip(encoders.MODULE)
    encode = encoders.sentence_encoder()
    king, queen, stone = encode(["a photo of a king", "a photo of a queen", "geology of gravel"])
    assert king @ queen > king @ stone + 0.3
    np.testing.assert_allclose(np.linalg.norm([king, queen, stone], axis=1), 1, atol=1e-5)
    assert load_semantics(named, "text").semantics.shape == (12, 384)
    with pytest.raises(InputError, match="the sentence encoder '/nowhere' cannot be loaded"):
        encoders.sentence_encoder("/nowhere")
