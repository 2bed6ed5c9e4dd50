"""Benchmarks in the layout of xlsa17, the data package of the Proposed Split (Xian et al., TPAMI 2019).

A folder of a data set holds `att_splits.mat` (class semantics and the split's image rows) and a file with labels
and image names, as a rule `res101.mat`. Rows and labels count from 1 there; they are shifted here and nowhere else.
`train_loc` and `val_loc` contain the images of `test_seen_loc`: they are never used as image lists.
"""

from pathlib import Path

import numpy as np

from zslpipe.data.attributes import read_attributes
from zslpipe.data.benchmark import Benchmark
from zslpipe.data.image_paths import find_image_root, number_repeats, relative_ids
from zslpipe.data.known import ATTRIBUTES_OF, FOLDERS, IMAGE_FOLDERS
from zslpipe.data.matlab import mat_variables, read_array, read_strings, read_whole_numbers
from zslpipe.data.official_folds import read_class_splits, read_rows
from zslpipe.errors import InputError
from zslpipe.files import sha256_file

SPLITS = "att_splits.mat"
LABEL_FILES = ("res101.mat", "images.mat", "resnet1000.mat")  # tried in this order, then any other .mat
LOCS = {"trainval": "trainval_loc", "test_seen": "test_seen_loc", "test_unseen": "test_unseen_loc"}


def find_folder(name: str, data_root: Path) -> Path:
    """The folder with the data set's `att_splits.mat`.

    Raises:
        InputError: where there is none.
    """
    folder = FOLDERS[name]
    for above in ("xlsa17/data", "data", "."):
        if (data_root / above / folder / SPLITS).is_file():
            return data_root / above / folder
    gone = "" if data_root.is_dir() else f"there is no folder {data_root} (--data-root, ZSLPIPE_DATA); "
    put = f"put {SPLITS} and {LABEL_FILES[0]} (from xlsa17.zip) into {data_root / 'xlsa17' / 'data' / folder}"
    images = f"and the images, where they are needed, into {data_root / IMAGE_FOLDERS[name][0]}"
    raise InputError(f"{name}: {gone}{put}, {images}.")


def read_xlsa17(name: str, data_root: Path, features_file: Path | None = None) -> Benchmark:
    """Read one of awa1, awa2, cub, sun, apy, flo below `data_root`; see `read_xlsa17_folder`."""
    folder = find_folder(name, data_root)
    roots = [data_root / sub for sub in IMAGE_FOLDERS[name]]
    return read_xlsa17_folder(
        folder,
        name,
        features_file,
        image_roots=[*roots, data_root / "images" / FOLDERS[name], data_root / FOLDERS[name]],
        attributes=data_root / "attributes" / ATTRIBUTES_OF.get(name, FOLDERS[name]),
    )


def read_xlsa17_folder(
    folder: Path,
    name: str,
    features_file: Path | None = None,
    image_roots: list[Path] | None = None,
    attributes: Path | None = None,
) -> Benchmark:
    """Read a folder in the xlsa17 layout; images need not be there.

    Args:
        folder: holds att_splits.mat and, unless `features_file` is given, a file with labels and image_files.
        name: what the benchmark is to be called.
        features_file: the .mat with `labels` and `image_files`.
        image_roots: folders where the images may lie, besides the folder's own.
        attributes: where `<attributes>_w2v.npy` and `<attributes>_names.txt` may lie.

    Raises:
        InputError: for a missing file or one that does not fit, in one sentence that names it.
    """
    splits_file = folder / SPLITS
    labels_file = features_file or find_labels_file(folder)
    held = mat_variables(splits_file)
    sources = {file.name: sha256_file(file) for file in (splits_file, labels_file)}
    notes: list[str] = []

    ids, labels = _read_images(labels_file, notes)
    semantics = read_array(splits_file, "att").T.astype(np.float32)
    classes = len(semantics)
    if "allclasses_names" in held:
        class_names = [str(n).strip() for n in read_strings(splits_file, "allclasses_names")]
    else:
        class_names = [f"class {c}" for c in range(1, classes + 1)]
    if len(class_names) != classes:
        raise InputError(f"{splits_file}: att has {classes} columns for {len(class_names)} allclasses_names.")
    if labels.max() >= classes:
        raise InputError(f"{labels_file}: labels run to {labels.max() + 1}, but {splits_file} has {classes} classes.")
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


def find_labels_file(folder: Path) -> Path:
    """The file of the folder that holds `labels` and `image_files`."""
    others = sorted(f.name for f in folder.glob("*.mat") if f.name not in (SPLITS, *LABEL_FILES))
    for file in (folder / f for f in (*LABEL_FILES, *others)):
        if file.is_file() and {"labels", "image_files"} <= mat_variables(file).keys():
            return file
    raise InputError(f"{folder} has no file with labels and image_files: put {LABEL_FILES[0]} (from xlsa17.zip) there.")


def _read_images(file: Path, notes: list[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Unique image ids and int64 labels counted from 0."""
    shapes = mat_variables(file)
    labels = read_whole_numbers(file, "labels") - 1
    paths = read_strings(file, "image_files")
    if len(paths) != len(labels):
        raise InputError(f"{file}: {len(paths)} image_files, but {len(labels)} labels.")
    if "features" in shapes and len(labels) not in shapes["features"]:
        shape = " x ".join(str(n) for n in shapes["features"])
        raise InputError(f"{file}: features are {shape}, which does not fit its {len(labels)} labels.")
    if not len(labels):
        raise InputError(f"{file} lists no image.")
    if labels.min() < 0:
        raise InputError(f"{file}: label {labels.min() + 1} in row {labels.argmin() + 1}; labels count from 1.")
    try:
        ids, repeats = number_repeats(relative_ids(paths))
    except InputError as problem:
        raise InputError(f"{file}: {problem}") from problem
    if repeats:
        notes.append(f"{repeats} rows of {file.name} name an image listed before; their ids end in #2, #3, ...")
    return ids, labels
