"""Lists the known datasets and checks one of them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import NO_CLASS, Benchmark
from zslpipe.data.check import NO_ATTRIBUTES
from zslpipe.data.image_paths import missing_images
from zslpipe.data.known import FOLDERS, describe_missing_images
from zslpipe.data.load import DATASETS, default_data_root, load_benchmark
from zslpipe.data.matlab import mat_variables
from zslpipe.data.official_folds import read_rows
from zslpipe.data.scan import first_few
from zslpipe.data.xlsa17 import SPLITS, find_folder, read_xlsa17
from zslpipe.errors import InputError
from zslpipe.image_formats import open_image
from zslpipe.progress import track
from zslpipe.tar_members import file_exists

THREADS = 4  # Pillow releases the GIL while decoding
SHOWN = 10  # broken images reported one by one


def list_datasets(data_root: Path | None = None) -> list[dict[str, Any]]:
    """The known datasets and how much of each is available.

    Returns:
        One dictionary of JSON values per dataset: `name`, `description`, `found`, `state` (a sentence) and, if found,
        `images`, `images_present`, `classes`, `attributes`.
    """
    root = data_root or default_data_root()
    rows = []
    for name in DATASETS:
        row: dict[str, Any] = {"name": name, "description": DATASETS[name], "found": True}
        if name == "demo":
            rows.append({**row, "state": "always available: drawn on first use"})
            continue
        try:
            benchmark = read_xlsa17(name, root)
        except InputError as problem:
            rows.append({**row, "found": False, "state": str(problem)})
            continue
        total, width = len(benchmark.image_ids), benchmark.semantics.shape[1]
        present = total - len(missing_images(benchmark.image_root, benchmark.image_ids))
        counts = f"{len(benchmark.class_names)} classes, {width} attributes, {present} of {total} images found"
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
    """Load a dataset by name or folder and check it, including its images.

    Args:
        dataset, data_root, tables, cache: as in `load_benchmark`.
        images: number of images to decode, evenly spaced; None: all.

    Returns:
        JSON values: counts, and two lists of sentences, `information` (notes of the reader, warnings) and `problems`
        (to be fixed). Only `dataset` and `problems` if it cannot be loaded.
    """
    try:
        benchmark = load_benchmark(dataset, data_root, tables, cache)
    except InputError as problem:
        return {"dataset": dataset, "problems": list(getattr(problem, "problems", [str(problem)]))}
    information, problems = [*benchmark.notes, *_warnings(benchmark, data_root)], []
    missing = describe_missing_images(benchmark, data_root or default_data_root())
    if missing and benchmark.image_root is None:
        information.append(missing)  # not needed if features are imported
    elif missing:
        problems.append(missing)
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


def _warnings(b: Benchmark, data_root: Path | None) -> list[str]:
    """Sentences about what is valid but may be unexpected."""
    found = []
    outside_split = np.setdiff1d(b.labels[b.labels != NO_CLASS], b.labels[_in_split(b)])
    if len(outside_split):
        names = [b.class_names[c] for c in outside_split]
        found.append(f"{len(names)} classes have images, but none in the split: {first_few(names)}.")
    if not len(b.unseen_classes):
        found.append("there is no unseen class: only S can be measured, and there is no δ to choose.")
    elif not len(b.test_unseen):
        found.append("no unseen class has test images: T1, U, H and AUSUC cannot be measured.")
    if not len(b.test_seen):
        found.append("no seen class has test images: S, H and AUSUC cannot be measured.")
    outside = len(b.labels) - len(_in_split(b))
    if outside:
        found.append(f"{outside} images are not in the split.")
    if (b.labels == NO_CLASS).any():
        found.append(f"{(b.labels == NO_CLASS).sum()} images have no class.")
    if not b.semantics.shape[1]:
        found.append(NO_ATTRIBUTES)
        return found
    zero = np.logical_not(b.semantics.any(axis=1))
    if zero.any():
        found.append(f"{zero.sum()} classes have all-zero attributes: {first_few(_names(b, zero))}.")
    _, first, counts = np.unique(b.semantics, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        example = b.class_names[first[counts > 1][0]]
        found.append(f"{(counts > 1).sum()} attribute vectors are shared by several classes, e.g. '{example}'.")
    if b.attribute_vectors is not None and not b.attribute_vectors.any(1).all():
        zeros = [n for n, v in zip(b.attribute_names, b.attribute_vectors) if not v.any()]
        found.append(f"{len(zeros)} attributes have an all-zero word vector: {first_few(zeros)}.")
    if b.name in FOLDERS:
        found += _split_leaks(find_folder(b.name, data_root or default_data_root()) / SPLITS, b)
    return found


def _in_split(b: Benchmark) -> np.ndarray:
    return np.concatenate([b.trainval, b.test_seen, b.test_unseen])


def _names(b: Benchmark, which: np.ndarray) -> list[str]:
    return [b.class_names[c] for c in np.flatnonzero(which)]


def _split_leaks(splits_file: Path, b: Benchmark) -> list[str]:
    """A sentence if the official image lists for validation contain test images."""
    if not {"train_loc", "val_loc"} <= mat_variables(splits_file).keys():
        return []
    train, val = (
        int(np.isin(read_rows(splits_file, loc, len(b.labels)), b.test_seen).sum()) for loc in ("train_loc", "val_loc")
    )
    if not train + val:
        return []
    leak = f"train_loc contains {train} and val_loc {val} images of test_seen"
    return [f"{leak}: tuning on them is tuning on the test set; zslpipe does not use them."]


def _decode(b: Benchmark, count: int | None) -> tuple[int, list[str]]:
    """The number of images decoded, and a sentence for each file that cannot be decoded. Missing files are ignored."""
    root = b.image_root
    if root is None:
        return 0, []
    rows = np.arange(len(b.image_ids))
    if count is not None and count < len(rows):
        rows = np.unique(np.linspace(0, len(rows) - 1, count).astype(int))
    paths = [p for p in (root / b.image_ids[r] for r in rows) if file_exists(p)]
    with ThreadPoolExecutor(THREADS) as pool:
        errors = list(track(pool.map(image_error, paths), f"decode {b.name}", len(paths)))
    broken = [error for error in errors if error]
    return len(paths) - len(broken), broken


def image_error(path: Path) -> str | None:
    """Decode an image completely; returns a sentence if that fails, else None."""
    try:
        with open_image(path) as image:
            image.draft("RGB", (1, 1))  # reads every block of a JPEG but does not decode to full size
            image.load()
    except Exception as problem:  # decoders raise many kinds of errors on broken files
        return f"{path} is not a readable image ({problem}); replace or remove it."
    return None
