"""Writes the demo set into a folder, or finds it there, and gives it back as a benchmark."""

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
from zslpipe.data.make_class_table import make_class_table
from zslpipe.demo.attributes import ATTRIBUTE_NAMES, attribute_vectors
from zslpipe.demo.classes import creatures
from zslpipe.demo.picture import draw_picture
from zslpipe.errors import InputError
from zslpipe.files import atomic_write, read_json, sha256_file, write_json
from zslpipe.progress import ticking

VERSION = 4  # to be raised with every change of what the pictures or the classes are
MARKER, TABLES = "demo.json", (CLASSES, IMAGES, VECTORS)
TEST_SEEN = 0.2  # share of a seen class's images
SMALLEST = 32  # pixels a side
BATCH = 10  # pictures a task of a drawing process
ALONE = 100  # so few pictures are drawn sooner than a second process starts


def make_demo(folder: Path, seed: int = 0, images_per_class: int = 40, size: int = 224) -> Benchmark:
    """Draw the demo set below `folder`, keeping the pictures that are there, and return it.

    The folder then holds `images/<class>/<nnn>.jpg`, the tables that `zslpipe.data.class_table` describes, so that
    it can be read like anybody's folder of images, and, written last, `demo.json`, which says what set it is. Equal
    arguments give equal files. A folder that holds another demo set has its pictures drawn anew.

    Args:
        folder: where to; made if need be.
        seed: of the pictures and of the split of the seen classes; the classes are always the same.
        images_per_class: at least 2.
        size: pixels a side.

    Raises:
        InputError: for arguments that make no set, or a folder with an `images` folder of somebody else's.
    """
    folder = Path(folder)
    wanted = _marker(seed, images_per_class, size)
    _check(wanted)
    benchmark = _plan(folder, seed, images_per_class)
    if not demo_is_complete(folder, seed, images_per_class, size):
        _make_room(folder, wanted, benchmark.image_ids)
        write_json(folder / MARKER, {**wanted, "complete": False})
        _draw_missing(folder / "images", seed, images_per_class, size)
        make_class_table(benchmark, folder / "images", folder)
        write_json(folder / MARKER, {**wanted, "complete": True})
    return replace(benchmark, sources={name: sha256_file(folder / name) for name in TABLES})


def demo_is_complete(folder: Path, seed: int = 0, images_per_class: int = 40, size: int = 224) -> bool:
    """Whether `make_demo` with these arguments would find every picture drawn and every table written."""
    folder, wanted = Path(folder), _marker(seed, images_per_class, size)
    if _found(folder) != {**wanted, "complete": True}:
        return False
    if not all((folder / table).is_file() for table in TABLES):
        return False
    return all(_is_whole(folder / "images" / _image_id(c, n)) for c, n in _pictures(images_per_class))


def _marker(seed: int, images_per_class: int, size: int) -> dict[str, Any]:
    return {
        "demo": VERSION, "seed": seed, "size": size, "classes": len(creatures()), "images_per_class": images_per_class
    }  # fmt: skip


def _check(wanted: dict[str, Any]) -> None:
    if wanted["images_per_class"] < 2:
        raise InputError(f"the demo set needs 2 images a class or more, not {wanted['images_per_class']}.")
    if wanted["size"] < SMALLEST:
        raise InputError(f"the demo's pictures need {SMALLEST} pixels a side or more, not {wanted['size']}.")
    if wanted["seed"] < 0:
        raise InputError(f"the demo's seed must be 0 or more, not {wanted['seed']}.")


def _found(folder: Path) -> dict[str, Any] | None:
    """What the folder's marker says, None where there is none of ours."""
    try:
        marker = read_json(folder / MARKER)
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) and "demo" in marker else None


def _make_room(folder: Path, wanted: dict[str, Any], image_ids: tuple[str, ...]) -> None:
    """Take away the pictures of another demo set; those of the same drawing stay, up to the number wanted."""
    images, found = folder / "images", _found(folder)
    if not images.exists():
        return
    if found is None:
        raise InputError(f"{images} holds images that are not the demo set's; choose another folder.")
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


def _is_whole(path: Path) -> bool:
    """Whether a JPEG is there to its end-of-image mark."""
    try:
        with path.open("rb") as stream:
            stream.seek(-2, os.SEEK_END)
            return stream.read() == b"\xff\xd9"
    except OSError:
        return False


def _draw_missing(images: Path, seed: int, images_per_class: int, size: int) -> None:
    missing = [(c, n) for c, n in _pictures(images_per_class) if not _is_whole(images / _image_id(c, n))]
    batches = [missing[k : k + BATCH] for k in range(0, len(missing), BATCH)]
    images = images.absolute()  # drawing processes outlive a call and keep the working folder they began in
    processes = 1 if len(missing) < ALONE else min(2, joblib.cpu_count())
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


def _plan(folder: Path, seed: int, images_per_class: int) -> Benchmark:
    """The benchmark of such a set, whether drawn or not."""
    classes = creatures()
    labels = np.repeat(np.arange(len(classes)), images_per_class)
    seen = np.array([creature.seen for creature in classes])
    trainval, test_seen = split_images(labels, np.flatnonzero(seen), TEST_SEEN, seed)
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
