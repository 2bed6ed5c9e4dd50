"""Settings of the wrong type or size are rejected with a one-sentence error, before training."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from zslpipe.errors import InputError
from zslpipe.heads import HEADS
from zslpipe.parts.settings import Count, NonNegative, Positive, Share, Whole, check_settings


@dataclass
class Settings:
    count: Count = 1
    whole: Whole = 0
    positive: Positive = 1.0
    weight: NonNegative = 0.0
    share: Share = 0.5
    any_number: float = -1.0
    switch: bool = False
    word: str = ""
    choice: Literal["mean", "max"] = "max"
    anything: tuple[int, ...] | None = None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("count", [1, 7, np.int64(3)]),
        ("whole", [0, 1]),
        ("positive", [1e-12, 3, np.float32(2)]),
        ("weight", [0, 0.0, 1e9]),
        ("share", [0, 1, 0.5]),
        ("any_number", [-1e9, 0, 3]),
        ("switch", [True, False]),
        ("word", ["", "cuda:1"]),
        ("choice", ["mean", "max"]),
        ("anything", [None, (1, 2)]),
    ],
)
def test_what_fits_is_taken(name: str, values: list[Any]) -> None:
    for value in values:
        check_settings(Settings, {name: value})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("count", 0, "count must be an integer >= 1, not 0."),
        ("count", 2.0, "count must be an integer"),
        ("count", True, "count must be an integer"),
        ("count", None, "count must be an integer >= 1, not None"),
        ("whole", -1, "whole must be an integer >= 0, not -1"),
        ("positive", 0, "positive must be a number > 0, not 0."),
        ("positive", "big", "positive must be a number > 0, not 'big'."),
        ("positive", float("inf"), "positive must be a number > 0, not inf"),
        ("weight", float("nan"), "weight must be a number >= 0, not nan"),
        ("weight", -0.1, "a number >= 0"),
        ("share", 1.5, "a number between 0 and 1"),
        ("any_number", [1], "any_number must be a number"),
        ("switch", 1, "switch must be true or false, not 1."),
        ("word", 3, "word must be a string, not 3."),
        ("choice", "men", "unknown value of choice 'men': did you mean mean"),
        ("choice", 3, "unknown value of choice '3'"),
    ],
)
def test_what_does_not_is_told(name: str, value: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_settings(Settings, {name: value})


@pytest.mark.parametrize("name", HEADS)
def test_every_head_refuses_them_however_they_come(name: str) -> None:
    for setting in HEADS[name]().get_params():
        for come in (lambda **s: HEADS[name](**s), HEADS[name]().set_params, HEADS[name]().with_params):
            with pytest.raises(InputError, match=setting):
                come(**{setting: ["no", "setting"]})


@pytest.mark.parametrize("name", HEADS)
def test_every_setting_that_is_tried_is_sound(name: str) -> None:
    for setting in HEADS[name].search_space():
        HEADS[name]().with_params(**setting)
