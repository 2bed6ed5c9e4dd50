"""What data sets are here, and what is wrong with one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zslpipe.data.benchmark import NO_CLASS, Benchmark
from zslpipe.data.image_paths import missing_images
from zslpipe.data.known import FOLDERS, images_missing_sentence
from zslpipe.data.load import DATASETS, default_data_root, load_benchmark
from zslpipe.data.matlab import mat_variables
from zslpipe.data.official_folds import read_rows
from zslpipe.data.scan import some
from zslpipe.data.xlsa17 import SPLITS, find_folder, read_xlsa17
from zslpipe.errors import InputError
from zslpipe.progress import track

THREADS = 4  # Pillow decodes outside the interpreter's lock
SHOWN = 10  # problems told one by one


def list_datasets(data_root: Path | None = None) -> list[dict[str, Any]]:
    """Each known data set with what of it is here.

    Returns:
        A dictionary of plain values each: `name`, `description`, `found`, `state` (a sentence), and where it was found
        `images`, `images_present`, `classes`, `attributes`.
    """
    root = data_root or default_data_root()
    rows = []
    for name in DATASETS:
        row: dict[str, Any] = {"name": name, "description": DATASETS[name], "found": True}
        if name == "demo":
            rows.append({**row, "state": "always here: drawn when it is first used"})
            continue
        try:
            benchmark = read_xlsa17(name, root)
        except InputError as problem:
            rows.append({**row, "found": False, "state": str(problem)})
            continue
        total, width = len(benchmark.image_ids), benchmark.semantics.shape[1]
        present = total - len(missing_images(benchmark.image_root, benchmark.image_ids))
        counts = f"{len(benchmark.class_names)} classes, {width} attributes, {present} of {total} images are here"
        row |= {"classes": len(benchmark.class_names), "attributes": width, "images": total, "images_present": present}
        rows.append({**row, "state": counts})
    return rows


def check_dataset(
    dataset: str,
    data_root: Path | None = None,
    tables: Path | None = None,
    cache: Path | None = None,
    images: int | None = None,
) -> dict[str, Any]:
    """Load a data set by name or folder and look into it, images included.

    Args:
        dataset, data_root, tables, cache: as `load_benchmark` takes them.
        images: how many images, evenly spread, to decode; all where None.

    Returns:
        Plain values: the counts, `information` (worth knowing: notes of the reader, traps) and `problems` (what must
        be put right), both lists of sentences. Only `dataset` and `problems` where it cannot be loaded at all.
    """
    try:
        benchmark = load_benchmark(dataset, data_root, tables, cache)
    except InputError as problem:
        return {"dataset": dataset, "problems": [str(problem)]}
    information, problems = [*benchmark.notes, *_traps(benchmark, data_root)], []
    gone = images_missing_sentence(benchmark, data_root or default_data_root())
    if gone and benchmark.image_root is None:
        information.append(gone)  # features can do without
    elif gone:
        problems.append(gone)
    decoded, broken = _decode(benchmark, images)
    problems += broken[:SHOWN]
    if len(broken) > SHOWN:
        problems.append(f"{len(broken) - SHOWN} more images cannot be read.")
    return {
        "dataset": benchmark.name,
        "classes": len(benchmark.class_names),
        "seen": len(benchmark.seen_classes),
        "unseen": len(benchmark.unseen_classes),
        "attributes": benchmark.semantics.shape[1],
        "images": len(benchmark.image_ids),
        "trainval": len(benchmark.trainval),
        "test_seen": len(benchmark.test_seen),
        "test_unseen": len(benchmark.test_unseen),
        "folds": len(benchmark.class_splits),
        "image_root": None if benchmark.image_root is None else str(benchmark.image_root),
        "decoded": decoded,
        "information": information,
        "problems": problems,
    }


def _traps(b: Benchmark, data_root: Path | None) -> list[str]:
    """Things that hold together and may still surprise."""
    told = []
    used = np.isin(np.arange(len(b.class_names)), np.concatenate([b.seen_classes, b.unseen_classes]))
    if not used.all():
        told.append(f"{(~used).sum()} classes have no image in any split: {some(_names(b, ~used))}.")
    if not len(b.test_seen) or not len(b.test_unseen):
        told.append("one of the test sets is empty: generalised figures (S, U, H) cannot be measured.")
    outside = len(b.labels) - len(b.trainval) - len(b.test_seen) - len(b.test_unseen)
    if outside:
        told.append(f"{outside} images are in no part of the split.")
    if (b.labels == NO_CLASS).any():
        told.append(f"{(b.labels == NO_CLASS).sum()} images belong to no class.")
    if not b.semantics.shape[1]:
        told.append("the classes have no attributes: give other semantics.")
        return told
    zero = np.logical_not(b.semantics.any(axis=1))
    if zero.any():
        told.append(f"{zero.sum()} classes are described by zeros only: {some(_names(b, zero))}.")
    _, first, counts = np.unique(b.semantics, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        alike = b.class_names[first[counts > 1][0]]
        told.append(f"{(counts > 1).sum()} descriptions are shared by several classes, that of '{alike}' among them.")
    if b.attribute_vectors is not None and not b.attribute_vectors.any(1).all():
        blank = [n for n, v in zip(b.attribute_names, b.attribute_vectors) if not v.any()]
        told.append(f"{len(blank)} attributes have a word vector of zeros: {some(blank)}.")
    if b.name in FOLDERS:
        told += _leaks(find_folder(b.name, data_root or default_data_root()) / SPLITS, b)
    return told


def _names(b: Benchmark, which: np.ndarray) -> list[str]:
    return [b.class_names[c] for c in np.flatnonzero(which)]


def _leaks(splits_file: Path, b: Benchmark) -> list[str]:
    if not {"train_loc", "val_loc"} <= mat_variables(splits_file).keys():
        return []
    train, val = (
        int(np.isin(read_rows(splits_file, loc, len(b.labels)), b.test_seen).sum()) for loc in ("train_loc", "val_loc")
    )
    if not train + val:
        return []
    where = f"train_loc holds {train} and val_loc {val} images of test_seen"
    return [f"{where}: whoever tunes on them as they are tunes on the test set; they are not used here."]


def _decode(b: Benchmark, count: int | None) -> tuple[int, list[str]]:
    """How many images were decoded, and a sentence for each of which there is a file that is no sound image."""
    root = b.image_root
    if root is None:
        return 0, []
    rows = np.arange(len(b.image_ids))
    if count is not None and count < len(rows):
        rows = np.unique(np.linspace(0, len(rows) - 1, count).astype(int))
    paths = [p for p in (root / b.image_ids[r] for r in rows) if p.is_file()]
    with ThreadPoolExecutor(THREADS) as pool:
        told = list(track(pool.map(broken_image, paths), f"decode {b.name}", len(paths)))
    broken = [t for t in told if t]
    return len(paths) - len(broken), broken


def broken_image(path: Path) -> str | None:
    """Decode an image to its last byte; a sentence where that fails, None where it does not."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (1, 1))  # a JPEG's blocks are all read, but not blown up to full size
            image.load()
    except Exception as problem:  # whatever a decoder may raise over a broken file
        return f"{path} is no image that can be read ({problem}); replace it or take it out."
    return None
