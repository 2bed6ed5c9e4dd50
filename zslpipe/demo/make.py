"""Creates the demo set in a folder, or reuses it, and returns it as a benchmark."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from zslpipe.data.benchmark import Benchmark, split_images
from zslpipe.data.class_table import CLASSES, IMAGES, VECTORS
from zslpipe.data.known_classes import KnownClasses
from zslpipe.data.make_class_table import make_class_table
from zslpipe.demo.attributes import ATTRIBUTE_NAMES, attribute_vectors
from zslpipe.demo.classes import creatures
from zslpipe.demo.picture import draw_picture
from zslpipe.errors import InputError
from zslpipe.files import atomic_write, read_json, sha256_file, write_json
from zslpipe.progress import ticking

VERSION = 4  # increase with every change of the pictures or classes
MARKER, TABLES = "demo.json", (CLASSES, IMAGES, VECTORS)
TEST_SHARE = 0.2  # share of each seen class's images in test_seen
MIN_SIZE = 32  # pixels per side
BATCH_SIZE = 10  # pictures per task of a drawing process
PARALLEL_FROM = 100  # fewer pictures are drawn faster than a second process starts


def make_demo(folder: Path, seed: int = 0, images_per_class: int = 40, size: int = 224) -> Benchmark:
    """Draw the demo set into `folder` and return it; pictures that exist are kept.

    The folder then contains `images/<class>/<nnn>.jpg` and the tables described in `zslpipe.data.class_table`, so that
    it can be read like any folder of images, and `demo.json`, written last, with the arguments. Equal arguments give
    identical files. A demo set with other arguments is replaced.

    Args:
        folder: created if it does not exist.
        seed: seed of the pictures and of the split of the seen classes; the classes are always the same.
        images_per_class: number of pictures per class, at least 2.
        size: pixels per side, at least 32.

    Raises:
        InputError: if an argument is out of range, or the folder has `images` that are not a demo set.
    """
    folder = Path(folder)
    wanted = _marker(seed, images_per_class, size)
    _check_arguments(wanted)
    benchmark = _demo_benchmark(folder, seed, images_per_class)
    if not demo_is_complete(folder, seed, images_per_class, size):
        _remove_other_pictures(folder, wanted, benchmark.image_ids)
        write_json(folder / MARKER, {**wanted, "complete": False})
        _draw_missing(folder / "images", seed, images_per_class, size)
        make_class_table(KnownClasses.of(benchmark), folder / "images", folder)
        write_json(folder / MARKER, {**wanted, "complete": True})
    return replace(benchmark, sources={name: sha256_file(folder / name) for name in TABLES})


def demo_is_complete(folder: Path, seed: int = 0, images_per_class: int = 40, size: int = 224) -> bool:
    """Whether the folder contains all pictures and tables of `make_demo` with these arguments."""
    folder, wanted = Path(folder), _marker(seed, images_per_class, size)
    if _read_marker(folder) != {**wanted, "complete": True}:
        return False
    if not all((folder / table).is_file() for table in TABLES):
        return False
    return all(_is_complete_jpeg(folder / "images" / _image_id(c, n)) for c, n in _pictures(images_per_class))


def _marker(seed: int, images_per_class: int, size: int) -> dict[str, Any]:
    return {
        "demo": VERSION, "seed": seed, "size": size, "classes": len(creatures()), "images_per_class": images_per_class
    }  # fmt: skip


def _check_arguments(wanted: dict[str, Any]) -> None:
    if wanted["images_per_class"] < 2:
        raise InputError(f"images_per_class must be >= 2, not {wanted['images_per_class']}.")
    if wanted["size"] < MIN_SIZE:
        raise InputError(f"size must be >= {MIN_SIZE} pixels, not {wanted['size']}.")
    if wanted["seed"] < 0:
        raise InputError(f"seed must be >= 0, not {wanted['seed']}.")


def _read_marker(folder: Path) -> dict[str, Any] | None:
    """The contents of the folder's demo.json; None if it is missing or not one."""
    try:
        marker = read_json(folder / MARKER)
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) and "demo" in marker else None


def _remove_other_pictures(folder: Path, wanted: dict[str, Any], image_ids: tuple[str, ...]) -> None:
    """Delete pictures of a demo set with another seed, size or version, and those beyond the wanted number."""
    images, found = folder / "images", _read_marker(folder)
    if not images.exists():
        return
    if found is None:
        raise InputError(f"{images} contains images that are not a demo set; choose another folder.")
    if any(found.get(key) != wanted[key] for key in ("demo", "seed", "size")):
        shutil.rmtree(images)
        return
    surplus = {p.relative_to(images).as_posix() for p in images.glob("*/*.jpg")} - set(image_ids)
    for image_id in surplus:
        (images / image_id).unlink()


def _image_id(which: int, number: int) -> str:
    return f"{creatures()[which].name}/{number:03d}.jpg"


def _pictures(images_per_class: int) -> Iterator[tuple[int, int]]:
    return ((which, number) for which in range(len(creatures())) for number in range(images_per_class))


def _is_complete_jpeg(path: Path) -> bool:
    """Whether the file exists and ends with the end-of-image marker of JPEG."""
    try:
        with path.open("rb") as stream:
            stream.seek(-2, os.SEEK_END)
            return stream.read() == b"\xff\xd9"
    except OSError:
        return False


def _draw_missing(images: Path, seed: int, images_per_class: int, size: int) -> None:
    missing = [(c, n) for c, n in _pictures(images_per_class) if not _is_complete_jpeg(images / _image_id(c, n))]
    batches = [missing[k : k + BATCH_SIZE] for k in range(0, len(missing), BATCH_SIZE)]
    images = images.absolute()  # joblib reuses its processes, which keep their first working directory
    processes = 1 if len(missing) < PARALLEL_FROM else min(2, joblib.cpu_count())
    work = (joblib.delayed(_draw_batch)(images, seed, batch, size) for batch in batches)
    with ticking("drawing the demo set", len(missing)) as ticker:
        for drawn in joblib.Parallel(processes, return_as="generator_unordered")(work):
            ticker.advance(drawn)


def _draw_batch(images: Path, seed: int, batch: list[tuple[int, int]], size: int) -> int:
    for which, number in batch:
        picture = draw_picture(seed, which, number, size)
        with atomic_write(images / _image_id(which, number)) as stream:
            picture.save(stream, "JPEG", quality=90)
    return len(batch)


def _demo_benchmark(folder: Path, seed: int, images_per_class: int) -> Benchmark:
    """The benchmark of the demo set, whether or not the pictures exist."""
    classes = creatures()
    labels = np.repeat(np.arange(len(classes)), images_per_class)
    seen = np.array([creature.seen for creature in classes])
    trainval, test_seen = split_images(labels, np.flatnonzero(seen), TEST_SHARE, seed)
    return Benchmark(
        name="demo",
        class_names=tuple(creature.name for creature in classes),
        semantics=np.stack([creature.semantics for creature in classes]),
        attribute_names=ATTRIBUTE_NAMES,
        image_ids=tuple(_image_id(c, n) for c, n in _pictures(images_per_class)),
        labels=labels,
        trainval=trainval,
        test_seen=test_seen,
        test_unseen=np.flatnonzero(~seen[labels]),
        attribute_vectors=attribute_vectors(),
        image_root=folder / "images",
    )
