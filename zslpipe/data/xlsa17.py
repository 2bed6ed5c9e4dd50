"""Reads benchmarks in the layout of xlsa17, the data package of the Proposed Split (Xian et al., TPAMI 2019).

The folder of a dataset contains `att_splits.mat` (class semantics and the image rows of the split) and a file with
labels and image names, usually `res101.mat`. Rows and labels in them count from 1; they are shifted here and nowhere
else. `train_loc` and `val_loc` contain the images of `test_seen_loc`, so they are never used as image lists.
"""

from pathlib import Path

import numpy as np

from zslpipe.data.attributes import read_attributes
from zslpipe.data.benchmark import Benchmark
from zslpipe.data.image_paths import find_image_root, make_ids_unique, relative_ids
from zslpipe.data.known import ATTRIBUTES_OF, FOLDERS, IMAGE_FOLDERS
from zslpipe.data.known_classes import KnownClasses
from zslpipe.data.matlab import mat_variables, read_array, read_integers, read_strings
from zslpipe.data.official_folds import read_class_splits, read_listed_folds, read_rows, read_unseen
from zslpipe.errors import InputError
from zslpipe.files import sha256_file

SPLITS = "att_splits.mat"
LABEL_FILES = ("res101.mat", "images.mat", "resnet1000.mat")  # tried in this order, then any other .mat
LOCS = {"trainval": "trainval_loc", "test_seen": "test_seen_loc", "test_unseen": "test_unseen_loc"}


def find_folder(name: str, data_root: Path) -> Path:
    """The folder below `data_root` with the `att_splits.mat` of a known dataset.

    Raises:
        InputError: if there is none.
    """
    folder = FOLDERS[name]
    for parent in ("xlsa17/data", "data", "."):
        if (data_root / parent / folder / SPLITS).is_file():
            return data_root / parent / folder
    missing = "" if data_root.is_dir() else f"folder not found: {data_root} (--data-root, ZSLPIPE_DATA); "
    put = f"put {SPLITS} and {LABEL_FILES[0]} (from xlsa17.zip) into {data_root / 'xlsa17' / 'data' / folder}"
    images = f"and, to extract features, the images into {data_root / IMAGE_FOLDERS[name][0]}"
    raise InputError(f"{name}: {missing}{put}, {images}.")


def read_xlsa17(name: str, data_root: Path, features_file: Path | None = None) -> Benchmark:
    """Read one of awa1, awa2, cub, sun, apy, flo below `data_root`; see `read_xlsa17_folder`."""
    folder = find_folder(name, data_root)
    roots = [data_root / sub for sub in IMAGE_FOLDERS[name]]
    return read_xlsa17_folder(
        folder,
        name,
        features_file,
        image_roots=[*roots, data_root / "images" / FOLDERS[name], data_root / FOLDERS[name]],
        attributes=_attributes(name, data_root),
    )


def read_xlsa17_folder(
    folder: Path,
    name: str,
    features_file: Path | None = None,
    image_roots: list[Path] | None = None,
    attributes: Path | None = None,
) -> Benchmark:
    """Read a folder in the xlsa17 layout; the images may be missing.

    Args:
        folder: contains att_splits.mat and, unless `features_file` is given, a file with labels and image_files.
        name: name of the benchmark.
        features_file: the .mat file with `labels` and `image_files`.
        image_roots: folders that may contain the images, searched before `folder` itself.
        attributes: path such that `<attributes>_w2v.npy` and `<attributes>_names.txt` may exist.

    Raises:
        InputError: if a file is missing or inconsistent; the message names it.
    """
    splits_file = folder / SPLITS
    labels_file = features_file or find_labels_file(folder)
    sources = {file.name: sha256_file(file) for file in (splits_file, labels_file)}
    notes: list[str] = []

    ids, labels = _read_images(labels_file, notes)
    semantics, class_names = _read_semantics(splits_file)
    classes = len(class_names)
    if labels.max() >= classes:
        raise InputError(f"{labels_file}: labels go up to {labels.max() + 1}, but {splits_file} has {classes} classes.")
    locs = {part: read_rows(splits_file, variable, len(labels)) for part, variable in LOCS.items()}

    names, vectors = read_attributes(attributes, semantics.shape[1], sources, notes)
    try:
        return Benchmark(
            name=name,
            class_names=tuple(class_names),
            semantics=semantics,
            attribute_names=names,
            image_ids=ids,
            labels=labels,
            **locs,
            class_splits=read_class_splits(splits_file, class_names, labels, locs["trainval"], sources),
            attribute_vectors=vectors,
            image_root=find_image_root([*(image_roots or []), folder / "images", folder / "jpg", folder], ids),
            sources=sources,
            notes=tuple(notes),
        )
    except InputError as problem:
        if str(problem).startswith(f"{name}: "):
            raise InputError(f"{splits_file}: {str(problem).removeprefix(f'{name}: ')}") from problem
        raise


def _read_semantics(splits_file: Path) -> tuple[np.ndarray, list[str]]:
    """The semantics (C, A), and the names of the classes."""
    semantics = read_array(splits_file, "att").T.astype(np.float32)
    classes = len(semantics)
    if "allclasses_names" not in mat_variables(splits_file):
        return semantics, [f"class {c}" for c in range(1, classes + 1)]
    names = [str(n).strip() for n in read_strings(splits_file, "allclasses_names")]
    if len(names) != classes:
        raise InputError(f"{splits_file}: att has {classes} columns, but there are {len(names)} allclasses_names.")
    return semantics, names


def find_labels_file(folder: Path) -> Path:
    """The .mat file in `folder` with `labels` and `image_files`.

    Raises:
        InputError: if there is none.
    """
    others = sorted(f.name for f in folder.glob("*.mat") if f.name not in (SPLITS, *LABEL_FILES))
    for file in (folder / f for f in (*LABEL_FILES, *others)):
        if file.is_file() and {"labels", "image_files"} <= mat_variables(file).keys():
            return file
    raise InputError(f"{folder} has no file with labels and image_files; put {LABEL_FILES[0]} (from xlsa17.zip) there.")


def _read_images(file: Path, notes: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Unique image ids (N,) and int64 labels (N,) counted from 0."""
    shapes = mat_variables(file)
    labels = read_integers(file, "labels") - 1
    paths = read_strings(file, "image_files")
    if len(paths) != len(labels):
        raise InputError(f"{file}: there are {len(paths)} image_files, but {len(labels)} labels.")
    if "features" in shapes and len(labels) not in shapes["features"]:
        shape = " x ".join(str(n) for n in shapes["features"])
        raise InputError(f"{file}: features have shape {shape}, but there are {len(labels)} labels.")
    if not len(labels):
        raise InputError(f"{file} lists no images.")
    if labels.min() < 0:
        raise InputError(f"{file}: label {labels.min() + 1} in row {labels.argmin() + 1}; labels count from 1.")
    try:
        ids, repeats = make_ids_unique(relative_ids(paths))
    except InputError as problem:
        raise InputError(f"{file}: {problem}") from problem
    if repeats:
        notes.append(f"{repeats} rows of {file.name} repeat an image; their ids end in #2, #3, ...")
    return ids, labels


def read_known_classes(name: str, data_root: Path) -> KnownClasses:
    """The classes of a known dataset, and the split of its images if a file that lists them is there.

    Raises:
        InputError: if att_splits.mat is missing, or a file is invalid.
    """
    folder = find_folder(name, data_root)
    try:
        find_labels_file(folder)
    except InputError:
        pass
    else:
        return KnownClasses.of(read_xlsa17(name, data_root))
    semantics, names = _read_semantics(folder / SPLITS)
    attributes, vectors = read_attributes(_attributes(name, data_root), semantics.shape[1], {}, [])
    unseen = read_unseen(folder, names)
    folds = read_listed_folds(folder, names, set(np.flatnonzero(~unseen).tolist()), {})
    return KnownClasses(name, tuple(names), unseen, semantics, attributes, vectors, tuple(folds), {})


def _attributes(name: str, data_root: Path) -> Path:
    return data_root / "attributes" / ATTRIBUTES_OF.get(name, FOLDERS[name])
