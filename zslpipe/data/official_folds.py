"""What the xlsa17 files say of rows and of the official validation folds, in our counting from 0."""

from pathlib import Path

import numpy as np

from zslpipe.data.benchmark import ClassSplit
from zslpipe.data.matlab import mat_variables, read_whole_numbers
from zslpipe.errors import InputError
from zslpipe.files import sha256_file


def read_rows(file: Path, variable: str, images: int) -> np.ndarray:
    """Image rows, counted from 1 in the file, as int64 counted from 0."""
    values = read_whole_numbers(file, variable)
    wrong = np.flatnonzero((values < 1) | (values > images))
    if len(wrong):
        where = f"entry {wrong[0] + 1} of {variable} is {values[wrong[0]]}"
        raise InputError(f"{file}: {where}, but rows run from 1 to {images}; check that both files belong together.")
    return values - 1


def read_class_splits(
    splits_file: Path, class_names: list[str], labels: np.ndarray, trainval: np.ndarray, sources: dict[str, str]
) -> tuple[ClassSplit, ...]:
    """The official folds: by name from the text files, else the classes (not the images) of train_loc and val_loc."""
    folder, index = splits_file.parent, {name: c for c, name in enumerate(class_names)}
    seen = set(labels[trainval].tolist())
    splits: list[ClassSplit] = []
    while all((folder / f"{part}classes{len(splits) + 1}.txt").is_file() for part in ("train", "val")):
        parts = []
        for part in ("train", "val"):
            file = folder / f"{part}classes{len(splits) + 1}.txt"
            parts.append(_read_class_list(file, index, seen))
            sources[file.name] = sha256_file(file)
        splits.append(ClassSplit(*parts))
    if not splits and {"train_loc", "val_loc"} <= mat_variables(splits_file).keys():
        train, val = (
            np.unique(labels[np.intersect1d(read_rows(splits_file, loc, len(labels)), trainval)])
            for loc in ("train_loc", "val_loc")
        )
        if len(train) and len(val) and not np.intersect1d(train, val).size:
            splits.append(ClassSplit(tuple(train.tolist()), tuple(val.tolist())))
    return tuple(splits)


def _read_class_list(file: Path, index: dict[str, int], seen: set[int]) -> tuple[int, ...]:
    classes = []
    for row, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        if line.strip() not in index:
            raise InputError(f"{file} line {row}: there is no class '{line.strip()}' in allclasses_names.")
        if index[line.strip()] not in seen:
            raise InputError(f"{file} line {row}: class '{line.strip()}' is not seen, so no fold can hold it.")
        classes.append(index[line.strip()])
    return tuple(sorted(classes))
