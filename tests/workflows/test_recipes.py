"""Recipes are found by short name or by path, in a checkout and in an installed package."""

from pathlib import Path

import pytest

import zslpipe
from zslpipe.errors import InputError, UnknownNameError
from zslpipe.workflows.recipes import find_recipe, list_recipes, read_recipe, recipe_files

PIPELINES = Path(__file__).parents[2] / "pipelines"


def test_every_file_of_the_checkout_has_a_short_name() -> None:
    files = recipe_files()
    assert sorted(files.values()) == sorted(PIPELINES.glob("*/*.yaml"))
    assert files["remse/cub"] == PIPELINES / "remse" / "cub.yaml"
    assert list(files) == sorted(files)
    assert [recipe.name for recipe in list_recipes()] == list(files)


def test_the_recipes_of_an_installed_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("zslpipe/pipelines/system", "pipelines/other"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cub.yaml").write_text("")
    monkeypatch.setattr(zslpipe, "__file__", str(tmp_path / "zslpipe" / "__init__.py"))
    assert recipe_files() == {"system/cub": tmp_path / "zslpipe" / "pipelines" / "system" / "cub.yaml"}


def test_a_path_that_exists_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe("remse/cub") == PIPELINES / "remse" / "cub.yaml"
    (tmp_path / "remse").mkdir()
    (tmp_path / "remse" / "cub").write_text((PIPELINES / "remse" / "sun.yaml").read_text())
    assert read_recipe("remse/cub").dataset == "sun"
    assert read_recipe(PIPELINES / "remse" / "cub.yaml").dataset == "cub"


def test_unknown_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe 'remse/cubs': did you mean remse/cub"):
        find_recipe("remse/cubs")
    with pytest.raises(InputError, match=r"nowhere/cub\.yaml cannot be read as a recipe"):
        read_recipe("nowhere/cub.yaml")
