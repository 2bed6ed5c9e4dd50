"""Recipes of strangers: one sentence each, at once."""

from pathlib import Path

import pytest
import yaml

from zslpipe.errors import InputError
from zslpipe.workflows.plain_yaml import read_yaml
from zslpipe.workflows.recipe import Recipe
from zslpipe.workflows.recipes import recipe_files

GOOD = """system: s
paper: p
dataset: cub
backbone: resnet101
head: eszsl
settings: {gamma: 1.0}
reading: paper
published: {Table: {H: 50.0}}
"""
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))

BAD = {
    "billion laughs": (LAUGHS, "aliases"),
    "deep nesting": ("a: " + "[" * 5000, "nested more than 20 deep"),
    "deep and closed": ("a: " + "{b: " * 300 + "1" + "}" * 300, "nested more than 20 deep"),
    "a repeated key": (GOOD + "head: remse\n", "'head' is given twice"),
    "a repeated setting": (GOOD.replace("{gamma: 1.0}", "{gamma: 1.0, gamma: 2.0}"), "'gamma' is given twice"),
    "a huge number": (GOOD + f"seeds: {'9' * 5000}\n", "too long"),
    "a large number": (GOOD + "seeds: 1000000000000\n", "seeds must be"),
    "a number of a thousand digits below": (GOOD + "image_size: 99999999999\n", "image_size must be"),
    "a size that is true": (GOOD + "image_size: true\n", "image_size must be"),
    "no size": (GOOD + "image_size: 0\n", "image_size must be"),
    "an underscore": (GOOD + "seeds: 1_0\n", "not a plain number"),
    "a sexagesimal": (GOOD + "seeds: 1:30\n", "not a plain number"),
    "keys that are numbers": (GOOD.replace("{gamma: 1.0}", "{1: 1.0}"), "keys of settings must be text"),
    "a key that is a list": (GOOD + "[1, 2]: 3\n", "a key must be text"),
    "settings that are a list": (GOOD.replace("{gamma: 1.0}", "[gamma]"), "settings must be an object"),
    "settings of a list": (GOOD.replace("gamma: 1.0", "gamma: [1, 2]"), "gamma must be a number"),
    "taps of numbers": (GOOD + "taps: [1]\n", "taps"),
    "a head that is a number": (GOOD.replace("eszsl", "7"), "head must be a string"),
    "a dataset of nothing": (GOOD.replace("dataset: cub", "dataset:"), "dataset must be a string"),
    "published infinity": (GOOD.replace("50.0", ".inf"), "percentage"),
    "published nothing": (GOOD.replace("50.0", "null"), "must be a number"),
    "published as yes": (GOOD.replace("50.0", "true"), "must be a number"),
    "a Python object": (GOOD + "notes: !!python/object/apply:os.system [id]\n", "cannot be read"),
    "binary": ("\x00\x01", "cannot be read"),
    "a tab": ("a:\n\t- b", "cannot be read"),
    "no mapping": ("- 1\n", "not a recipe"),
    "empty": ("", "not a recipe"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_short_sentence(tmp_path: Path, name: str) -> None:
    text, expected = BAD[name]
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        Recipe.read(path)
    message = str(refused.value)
    assert expected in message
    assert str(path) in message
    assert len(message) < len(str(path)) + 300
    assert "\n" not in message


def test_the_good_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(GOOD)
    assert Recipe.read(tmp_path / "recipe.yaml").settings == {"gamma": 1.0}


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("a: " + "x" * (1 << 21))
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_yaml(path, "a recipe")


@pytest.mark.parametrize("name", recipe_files())
def test_our_own_recipes_mean_the_same(name: str) -> None:
    path = recipe_files()[name]
    assert read_yaml(path, "a recipe") == yaml.safe_load(path.read_text())
