"""Classes described in words become semantics that a head can score."""

from collections.abc import Mapping

import numpy as np
import pytest

from zslpipe.errors import InputError
from zslpipe.serving.described import Description, example_sentence, from_sentence, understand, with_described
from zslpipe.serving.predictor import ClassList

NAMES = ("has_bill_color::red", "has_bill_color::black", "has_wing_color::black", "has_wing_color::white", "stripes")


def listed(semantics: list[list[float]]) -> ClassList:
    count = len(semantics)
    names = tuple(f"class {c}" for c in range(count))
    return ClassList(names, np.array(semantics, np.float32), np.ones(count, bool), np.zeros(count, bool), NAMES)


@pytest.fixture
def classes() -> ClassList:
    return listed([[1, 0, 0.25, 0.5, 0.125], [0, 0.75, 1, 0, 0.5], [0.5, 0.25, 0.25, 0.75, 0.875]])


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("a red bill", {"has_bill_color::red": 1.0}),
        ("Red bill, black wings", {"has_bill_color::red": 1.0, "has_wing_color::black": 1.0}),
        ("red bill and black wings", {"has_bill_color::red": 1.0, "has_wing_color::black": 1.0}),
        ("black and white wings", {"has_wing_color::black": 1.0, "has_wing_color::white": 0.75}),
        ("a bird with stripes", {"stripes": 0.875}),
        ("no stripes but a black bill", {"stripes": 0.125, "has_bill_color::black": 0.75}),
        ("without black or white wings", {"has_wing_color::black": 0.25, "has_wing_color::white": 0.0}),
        ("not large, a red bill", {"has_bill_color::red": 1.0}),
    ],
)
def test_a_sentence_names_attributes(classes: ClassList, sentence: str, named: dict[str, float]) -> None:
    assert from_sentence(sentence, classes) == named


def test_what_is_not_said_is_as_in_the_similar_class_or_the_mean(classes: ClassList) -> None:
    like = understand(Description("new", "class 1", {"stripes": 0.25}), classes)
    assert like.semantics.tolist() == [0, 0.75, 1, 0, 0.25]
    assert (like.base, like.named) == ("class 1", {"stripes": 0.25})
    mean = understand(Description("new", sentence="red bill", attributes={"stripes": 0.0}), classes)
    assert mean.semantics.tolist() == pytest.approx([1, *classes.semantics.mean(0)[1:4], 0])
    assert mean.base == "the mean of all classes"


def test_typed_values_overrule_the_sentence(classes: ClassList) -> None:
    found = understand(Description("new", sentence="red bill", attributes={"has_bill_color::red": 0.5}), classes)
    assert found.named == {"has_bill_color::red": 0.5}


def test_unit_length_stays_unit_length(classes: ClassList) -> None:
    unit = classes.semantics / np.linalg.norm(classes.semantics, axis=1, keepdims=True)
    found = understand(Description("new", "class 0", {"stripes": 0.9}), listed(unit.tolist()))
    assert np.linalg.norm(found.semantics) == pytest.approx(1)


def test_more_candidates(classes: ClassList) -> None:
    more = with_described(classes, [Description("a", "class 0"), Description("b", "class 1")])
    assert more.names == (*classes.names, "a", "b")
    assert [more.kind(c) for c in range(5)] == ["seen", "seen", "seen", "new", "new"]
    assert with_described(classes, []) is classes


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (Description(" ", "class 0"), "has no name"),
        (Description("class 1", "class 0"), "already"),
        (Description("new"), "not described"),
        (Description("new", "class 7"), "unknown class 'class 7'"),
        (Description("new", attributes={"stripe": 1.0}), "did you mean stripes"),
        (Description("new", attributes={"stripes": float("nan")}), "must be a number"),
        (Description("new", attributes={"stripes": 1e300}), "must be a number"),
        (Description("new", attributes={"stripes": 99.0}), "none exceeded 1"),
        (Description("new", sentence="something purple"), "names none of the 5 attributes"),
    ],
)
def test_one_sentence_says_what_is_wrong(classes: ClassList, one: Description, message: str) -> None:
    with pytest.raises(InputError, match=message):
        understand(one, classes)


def test_two_of_one_name(classes: ClassList) -> None:
    with pytest.raises(InputError, match="same name"):
        with_described(classes, [Description("a", "class 0"), Description("a", "class 1")])


def test_semantics_from_words_take_a_sentence_or_the_name(classes: ClassList) -> None:
    asked: list[dict[str, str]] = []

    def encode(texts: Mapping[str, str]) -> np.ndarray:
        asked.append(dict(texts))
        return np.full((len(texts), 5), len(asked))

    found = understand(Description("a  bird", sentence=" red\nbill "), classes, encode)
    assert asked == [{"a bird": "red bill"}]
    assert (found.semantics.tolist(), found.base) == ([1] * 5, "its sentence")
    assert understand(Description("a bird"), classes, encode).base == "its name"
    assert with_described(classes, [Description("a bird")], encode).semantics[-1].tolist() == [3] * 5
    with pytest.raises(InputError, match="by a sentence only"):
        understand(Description("a bird", attributes={"stripes": 1.0}), classes, encode)


def test_an_example_can_be_understood(classes: ClassList) -> None:
    sentence = example_sentence(classes.attribute_names)
    assert sentence == "red bill, but no stripes"
    assert from_sentence(sentence, classes) == {"has_bill_color::red": 1.0, "stripes": 0.125}
