"""The recipes of the dense-attention auto-encoder fix what its paper states, in settings of the right kind."""

from pathlib import Path

import pytest

from zslpipe.heads import HEADS
from zslpipe.workflows.recipe import Recipe

RECIPES = sorted((Path(__file__).parents[2] / "pipelines" / "dense-attention-ae").glob("*.yaml"))


def test_there_is_one_for_each_data_set_of_the_paper() -> None:
    assert [path.stem for path in RECIPES] == ["awa1", "awa2", "cub", "sun"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_setting_is_one_of_the_head(path: Path) -> None:
    recipe = Recipe.read(path)
    head = HEADS[recipe.head]()
    assert set(head.taps) <= set(recipe.taps)
    params = head.get_params()
    for key, value in recipe.settings.items():
        assert type(value) is type(params[key]), key
    assert (recipe.settings["alpha"], recipe.settings["eta"]) == (0.5, 1.0)  # the paper's
    for row in recipe.published.values():
        assert set(row) == {"T1", "U", "S", "H"}
