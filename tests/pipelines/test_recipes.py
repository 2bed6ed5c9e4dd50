"""Every recipe that is shipped is sound, and an unsound one is told in one sentence."""

from pathlib import Path

import pytest

from zslpipe.data.load import DATASETS
from zslpipe.errors import InputError
from zslpipe.workflows.recipe import Recipe

PIPELINES = Path(__file__).parents[2] / "pipelines"
RECIPES = sorted(PIPELINES.glob("*/*.yaml"))


def test_there_are_recipes() -> None:
    assert {f"remse/{name}.yaml" for name in ("awa2", "cub", "sun", "awa2-vit", "cub-vit", "sun-vit")} <= {
        f"{path.parent.name}/{path.name}" for path in RECIPES
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_recipe_is_sound(path: Path) -> None:
    recipe = Recipe.read(path)
    assert recipe.system == path.parent.name
    assert recipe.dataset in DATASETS
    assert path.stem.split("-")[0] == recipe.dataset
    assert recipe.shares or "reports no numbers under the Proposed Split" in recipe.notes
    for numbers in recipe.published.values():
        assert set(numbers) <= {"T1", "U", "S", "H", "AUSUC"}
        assert all(0 < value < 100 for value in numbers.values())
        if {"U", "S", "H"} <= set(numbers):
            u, s = numbers["U"], numbers["S"]
            assert numbers["H"] == pytest.approx(2 * u * s / (u + s), abs=0.1)


@pytest.mark.parametrize("path", [p for p in RECIPES if p.parent.name == "remse"], ids=lambda p: p.stem)
def test_the_reading_of_the_paper_has_its_rate_and_weight_decay(path: Path) -> None:
    recipe = Recipe.read(path)
    if recipe.reading == "paper":
        assert (recipe.settings["learning_rate"], recipe.settings["weight_decay"]) == (5e-4, 1e-4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("head: remse", "head: remes"), "did you mean remse"),
        (("  width: 1024", "  widht: 1024"), "did you mean width"),
        (("dataset: cub", "datset: cub"), "did you mean dataset"),
        (("selection: unseen-class", "selection: unseen"), "unseen-class"),
        (("reading: released\n", ""), "lacks the key 'reading'"),
        (("reading: released", "reading: thesis"), "unknown value of reading 'thesis'"),
        (("dataset: cub", "dataset: [cub]"), r"dataset must be a string, not \['cub'\]"),
        (("dataset: cub", "dataset: cub\nseeds: many"), "seeds must be an integer between 1 and 1000, not 'many'"),
        (("dataset: cub", "dataset: cub\nseeds: 0"), "seeds must be an integer between 1 and 1000, not 0"),
        (("dataset: cub", "dataset: cub\ntaps: region"), "taps must be a list, not 'region'"),
        (("  width: 1024", "  width: 0"), "width must be an integer >= 1, not 0"),
    ],
)
def test_an_unsound_recipe_is_refused(change: tuple[str, str], told: str, tmp_path: Path) -> None:
    text = (PIPELINES / "remse" / "cub.yaml").read_text()
    assert change[0] in text
    (tmp_path / "cub.yaml").write_text(text.replace(*change))
    with pytest.raises(InputError, match=told):
        Recipe.read(tmp_path / "cub.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1", "cannot be read as a recipe"),
        ("a text", "is not a recipe: it has no keys"),
        ("settings: 3", "settings must be an object, not 3"),
        ("published: {row: 4}", r"published\.row"),
        ("published: {row: {H: high}}", r"published\.row"),
    ],
)
def test_what_is_no_recipe_at_all(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "cub.yaml").write_text(text)
    with pytest.raises(InputError, match=told):
        Recipe.read(tmp_path / "cub.yaml")


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml cannot be read as a recipe"):
        Recipe.read(tmp_path / "gone.yaml")
