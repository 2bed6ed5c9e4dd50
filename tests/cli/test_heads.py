"""zslpipe heads and zslpipe backbones: what there is, and what one head can be set to."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.heads import HEADS
from zslpipe.parts.head import Head
from zslpipe.parts.settings import Range
from zslpipe.workflows.heads import describe_head, type_text


def zslpipe(*line: str) -> Any:
    done = CliRunner().invoke(main, [*line, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_head_has_a_line_and_a_description() -> None:
    listed = zslpipe("heads")
    assert [head["name"] for head in listed] == list(HEADS)
    assert all(head["summary"] for head in listed)
    for name in HEADS:
        about = describe_head(name)
        defaults = HEADS[name]().get_params()
        assert {setting.name: setting.default for setting in about.settings} == defaults
        assert about.paper
        tried = {key: value for candidate in HEADS[name].search_space() for key, value in candidate.items()}
        assert {setting.name for setting in about.settings if setting.tried} == set(tried)


def test_a_description() -> None:
    about = zslpipe("heads", "eszsl")
    settings = {setting["name"]: setting for setting in about["settings"]}
    assert settings["gamma"]["type"] == "float > 0"
    assert settings["gamma"]["meaning"]
    assert settings["gamma"]["tried"] == [10.0**g for g in range(-2, 4)]
    assert about["candidates"] == 24
    assert not about["chooses_epochs"]
    also = {"global, region, trunk": ["global"]}
    assert about["reads"] == {"global, region": ["global"], "global": ["global"], "region": None} | also
    assert about["word_vectors"] == "not used"
    text = CliRunner().invoke(main, ["heads", "eszsl"]).stdout
    assert "Romera-Paredes" in text
    assert "tried: 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0" in text


def test_what_heads_need() -> None:
    gem, remse = describe_head("gem"), describe_head("remse")
    assert gem.word_vectors == "required"
    assert gem.reads["global"] is None
    assert remse.word_vectors == "optional"
    assert remse.reads["global"] == ("global",)
    assert remse.reads["global, region"] == ("region",)
    assert remse.chooses_epochs


def test_meanings_are_read_from_docstrings_and_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Parent(Head):
        """Of the parent.

        Args:
            depth, width: of the network,
                in layers and in units.
        """

        depth: int = 2
        width: int = 8
        seed: int = 0  # of random numbers

        def learn(self, *_: Any) -> Any: ...

        def scorer(self, *_: Any) -> Any: ...

        def state(self) -> Any: ...

        def load_state(self, *_: Any) -> Any: ...

    @dataclass
    class Child(Parent):
        """Of the child.

        Args:
            width: of this head.

        Not a setting: only text.
        """

        name = "child"
        width: int = 16
        unexplained: bool = False

    monkeypatch.setattr(HEADS, "_things", {**HEADS._things, "child": Child})
    about = describe_head("child")
    assert {setting.name: setting.meaning for setting in about.settings} == {
        "width": "of this head.",
        "unexplained": "",
        "depth": "of the network, in layers and in units.",
        "seed": "of random numbers",
    }
    assert [setting.name for setting in about.settings] == ["width", "unexplained", "depth", "seed"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "int"),
        (Annotated[int, Range(1)], "int >= 1"),
        (Annotated[float, Range(0, above=True)], "float > 0"),
        (Annotated[float, Range(0, 1)], "float in [0, 1]"),
        (Annotated[float, Range(0, 1, above=True)], "float in (0, 1]"),
        (Literal["adam", "sgd"], "adam | sgd"),
        (int | None, "int | None"),
    ],
)
def test_types(kind: Any, text: str) -> None:
    assert type_text(kind) == text


def test_an_unknown_head() -> None:
    done = CliRunner().invoke(main, ["heads", "remes"])
    assert done.exit_code == 2
    assert done.stderr.startswith("zslpipe: unknown head 'remes': did you mean remse")


def test_backbones() -> None:
    def names(*pattern: str) -> list[str]:
        return [found["name"] for found in zslpipe("backbones", *pattern)]

    assert {"resnet101", "wide_resnet101_2"} <= set(names("resnet101"))
    some = names("resnet10?")
    assert "resnet101" in some
    assert all(name.startswith("resnet10") for name in some)
    assert set(some) < set(names())
    assert CliRunner().invoke(main, ["backbones", "resnet10?"]).stdout.splitlines() == some
    for pattern, sentence in {"resnet1o1": "did you mean resnet101", "zz*": "no backbone matches 'zz*'"}.items():
        done = CliRunner().invoke(main, ["backbones", pattern])
        assert done.exit_code == 2
        assert sentence in done.stderr
