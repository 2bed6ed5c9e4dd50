"""`zslpipe recipes`: the recipes that come with the package, and how to find their files by name."""

from pathlib import Path

import zslpipe
from zslpipe.registry import unknown
from zslpipe.workflows.recipe import Recipe

SUFFIXES = (".yaml", ".yml")


def recipes_folder() -> Path:
    """Where the recipes are: inside an installed package, else beside it in a checkout of the repository."""
    package = Path(zslpipe.__file__).parent
    installed = package / "pipelines"
    return installed if installed.is_dir() else package.parent / "pipelines"


def recipe_files() -> dict[str, Path]:
    """Short name (`remse/cub`) to file, in alphabetical order."""
    found = {f"{path.parent.name}/{path.stem}": path for path in recipes_folder().glob("*/*.yaml")}
    return dict(sorted(found.items()))


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe, given by its path or by its short name; a path that exists wins.

    Raises:
        UnknownNameError: if it is neither; the message suggests similar short names.
    """
    path = Path(name).expanduser()
    if path.is_file() or path.suffix in SUFFIXES:  # a missing .yaml is reported by its reader, under its path
        return path
    files = recipe_files()
    if str(name) not in files:
        raise unknown("recipe", str(name), files)
    return files[str(name)]


def list_recipes() -> list[Recipe]:
    """The recipes that come with the package, by name."""
    return [Recipe.read(path) for path in recipe_files().values()]


def read_recipe(name: str | Path) -> Recipe:
    """Find, read and check one recipe.

    Raises:
        InputError: for an unknown or invalid recipe.
    """
    return Recipe.read(find_recipe(name))
