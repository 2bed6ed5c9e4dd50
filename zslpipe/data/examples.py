"""A folder of photos of some classes, one subfolder a class: examples that a trained head is given."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.class_folders import ClassFolders, suggest_class
from zslpipe.data.scan import first_few, scan_images
from zslpipe.errors import InputError
from zslpipe.files import sha256_file


@dataclass(frozen=True, eq=False)
class Examples:
    """Photos of classes.

    Attributes:
        folder: that they are in.
        files: (n,) paths.
        labels: (n,) places of their classes among the names.
    """

    folder: Path
    files: tuple[Path, ...]
    labels: np.ndarray


def read_examples(folder: Path, class_names: Sequence[str], seen: np.ndarray) -> Examples:
    """The photos in a folder with one subfolder per class; the folders may be spelled a little differently.

    Args:
        folder: the folder.
        class_names: (C,).
        seen: (C,) bool, the classes that have training images, of which no more photos are taken.

    Raises:
        InputError: if there are no photos, or a photo is of no class or of a seen one.
    """
    images = scan_images(folder).images
    if not images:
        raise InputError(f"{folder} has no photos: expected {folder}/<class>/<photo>.")
    folders = ClassFolders(class_names)
    found = {image: folders.class_of(image) for image in images}
    strange = sorted({image.rpartition("/")[0] for image, name in found.items() if name is None})
    if strange:
        raise InputError(f"{folder}: {_no_class(strange, class_names)}")
    place = {name: c for c, name in enumerate(class_names)}
    labels = np.array([place[name] for name in found.values() if name is not None])
    known = [class_names[c] for c in np.unique(labels) if seen[c]]
    if known:
        raise InputError(
            f"{folder} has photos of {len(known)} classes with training images ({first_few(known)}): give photos of "
            "unseen classes only."
        )
    return Examples(folder, tuple(folder / image for image in images), labels)


def _no_class(folders: Sequence[str], class_names: Collection[str]) -> str:
    if folders == [""]:
        return "the photos are in no subfolder; put those of each class into a folder with its name."
    meant = suggest_class(folders[0], class_names)
    hint = f" (did you mean '{meant}'?)" if meant else ""
    return f"'{folders[0]}'{hint} is no class of the run; rename the folder, or describe the class with --classes."


def without_tests(benchmark: Benchmark, examples: Examples) -> Benchmark:
    """The benchmark without the test images that are among the examples, be it as copies under other names."""
    if benchmark.image_root is None:
        return benchmark
    sizes = {file.stat().st_size for file in examples.files}
    suspects = [row for row in benchmark.test_unseen if _size(benchmark.image_root / benchmark.image_ids[row]) in sizes]
    given = {sha256_file(file) for file in examples.files} if suspects else set()
    same = [row for row in suspects if sha256_file(benchmark.image_root / benchmark.image_ids[row]) in given]
    if not same:
        return benchmark
    usable = np.ones(len(benchmark.labels), bool)
    usable[same] = False
    return benchmark.keep(usable)


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
