"""Reads image rows and the official validation folds from xlsa17 files, shifted to count from 0."""

from pathlib import Path

import numpy as np

from zslpipe.data.benchmark import ClassSplit
from zslpipe.data.matlab import mat_variables, read_integers
from zslpipe.errors import InputError
from zslpipe.files import sha256_file


def read_rows(file: Path, variable: str, images: int) -> np.ndarray:
    """Image rows as int64 counted from 0; the file counts from 1.

    Args:
        images: number of images, the largest valid row.

    Raises:
        InputError: if a row is out of range.
    """
    values = read_integers(file, variable)
    wrong = np.flatnonzero((values < 1) | (values > images))
    if len(wrong):
        entry = f"entry {wrong[0] + 1} of {variable} is {values[wrong[0]]}"
        raise InputError(f"{file}: {entry}, but rows range from 1 to {images}; check that both files belong together.")
    return values - 1


def read_class_splits(
    splits_file: Path, class_names: list[str], labels: np.ndarray, trainval: np.ndarray, sources: dict[str, str]
) -> tuple[ClassSplit, ...]:
    """The official folds: from the lists of class names, else the classes (not the images) of train_loc and val_loc."""
    splits = read_listed_folds(splits_file.parent, class_names, set(labels[trainval].tolist()), sources)
    if not splits and {"train_loc", "val_loc"} <= mat_variables(splits_file).keys():
        train, val = (
            np.unique(labels[np.intersect1d(read_rows(splits_file, loc, len(labels)), trainval)])
            for loc in ("train_loc", "val_loc")
        )
        if len(train) and len(val) and not np.intersect1d(train, val).size:
            splits.append(ClassSplit(tuple(train.tolist()), tuple(val.tolist())))
    return tuple(splits)


def read_listed_folds(
    folder: Path, class_names: list[str], seen: set[int], sources: dict[str, str]
) -> list[ClassSplit]:
    """The folds that trainclasses1.txt, valclasses1.txt, trainclasses2.txt, ... list."""
    index = {name: c for c, name in enumerate(class_names)}
    splits: list[ClassSplit] = []
    while all((folder / f"{part}classes{len(splits) + 1}.txt").is_file() for part in ("train", "val")):
        parts = []
        for part in ("train", "val"):
            file = folder / f"{part}classes{len(splits) + 1}.txt"
            parts.append(_read_class_list(file, index, seen))
            sources[file.name] = sha256_file(file)
        splits.append(ClassSplit(*parts))
    return splits


def read_unseen(folder: Path, class_names: list[str]) -> np.ndarray:
    """(C,) bool: the classes that testclasses.txt lists.

    Raises:
        InputError: if the file is missing, or a class is unknown.
    """
    file = folder / "testclasses.txt"
    if not file.is_file():
        raise InputError(f"{folder} has neither image labels nor {file.name}: put it (from xlsa17.zip) there.")
    index = {name: c for c, name in enumerate(class_names)}
    listed = _read_class_list(file, index, set(index.values()))
    return np.isin(np.arange(len(class_names)), listed)


def _read_class_list(file: Path, index: dict[str, int], seen: set[int]) -> tuple[int, ...]:
    classes = []
    for row, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        if line.strip() not in index:
            raise InputError(f"{file} line {row}: class '{line.strip()}' is not in allclasses_names.")
        if index[line.strip()] not in seen:
            raise InputError(
                f"{file} line {row}: class '{line.strip()}' is not a seen class, so it cannot be in a fold."
            )
        classes.append(index[line.strip()])
    return tuple(sorted(classes))
