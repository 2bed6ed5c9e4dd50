"""Which class an image belongs to, by the folders that contain it, and what a folder without a class may mean."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection

ALIKE = 0.6  # of difflib, from 0 to 1


def normalize_name(name: str) -> str:
    """A class name without leading numbers, case and separators, in which spellings differ.

    >>> normalize_name("001.Black_footed_Albatross") == normalize_name("black footed albatross")
    True
    """
    return re.sub(r"[\W_]+", "", re.sub(r"^\d+[\W_]+", "", unicodedata.normalize("NFKC", name)).lower())


class ClassFolders:
    """Finds the class of an image: a class is a folder, maybe below others, spelled as the class or nearly so."""

    def __init__(self, classes: Collection[str]) -> None:
        self.classes = frozenset(classes)
        spellings = {c: normalize_name(c) for c in classes}
        counts = Counter(spellings.values())
        self._loose = {spelling: c for c, spelling in spellings.items() if spelling and counts[spelling] == 1}
        self._found: dict[str, str | None] = {}

    def class_of(self, image: str) -> str | None:
        """The class of an image (a path with forward slashes), None if no folder above it is one."""
        folder = image.rpartition("/")[0]
        if folder not in self._found:
            self._found[folder] = self._class_of_folder(folder.split("/") if folder else [])
        return self._found[folder]

    def _class_of_folder(self, parts: list[str]) -> str | None:
        above = ["/".join(parts[:k]) for k in range(1, len(parts) + 1)]
        below = parts[::-1]
        exact = next((name for name in (*above, *below) if name in self.classes), None)
        alike = (self._loose.get(normalize_name(name)) for name in (*below, *above))
        return exact or next((c for c in alike if c), None)

    def respelled(self) -> dict[str, str]:
        """The folders whose class has another name than any folder of theirs."""
        return {
            folder: c
            for folder, c in self._found.items()
            if c and c not in folder.split("/") and folder != c and not folder.startswith(f"{c}/")
        }


def suggest_class(folder: str, classes: Collection[str]) -> str | None:
    """The class that a folder without one may mean: it has the same words and more, or a similar spelling.

    >>> suggest_class("panda", ["horse", "giant panda"]), suggest_class("hores", ["horse", "giant panda"])
    ('giant panda', 'horse')
    """
    name = folder.rpartition("/")[2]
    words = _words(name)
    sharing = [c for c in classes if words and (words <= _words(c) or _words(c) <= words)]
    if len(sharing) == 1:
        return sharing[0]
    spellings = {normalize_name(c): c for c in classes}
    alike = difflib.get_close_matches(normalize_name(name), spellings, 1, ALIKE)
    return spellings[alike[0]] if alike else None


def _words(name: str) -> set[str]:
    return {word for word in re.split(r"[\W_]+", name.lower()) if word and not word.isdecimal()}
