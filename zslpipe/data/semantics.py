"""Class semantics other than those that a benchmark comes with: by name, or from a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from zslpipe.data.attributes import numbered, read_npy
from zslpipe.data.benchmark import Benchmark
from zslpipe.data.csv_lines import SUFFIXES, parse_cell, parse_number, read_lines
from zslpipe.data.known import FOLDERS
from zslpipe.data.load import default_data_root
from zslpipe.data.matlab import mat_variables, read_array, read_strings
from zslpipe.data.official_folds import read_rows
from zslpipe.data.texts import TEXTS, TextSpec
from zslpipe.data.xlsa17 import LOCS, SPLITS, find_folder, read_xlsa17
from zslpipe.errors import InputError
from zslpipe.files import sha256_file
from zslpipe.registry import Registry, unknown

SENTENCES = "sent_splits.mat"

Describe = Callable[[Benchmark, Path], Benchmark]  # the benchmark and the data root -> `benchmark.with_semantics(...)`
SEMANTICS: Registry[Describe] = Registry("semantics", "zslpipe.semantics")


def load_semantics(benchmark: Benchmark, spec: str, data_root: Path | None = None) -> Benchmark:
    """The benchmark with other semantics (C, A').

    Args:
        benchmark: the benchmark.
        spec: a name in `SEMANTICS`: `att` (the benchmark's own), `original_att` (not normalised), `sentences`
            (sent_splits.mat) or one that a plugin or package registers; from words:
            text[@MODEL][:TABLE], class names or the texts of a table with the columns class and text, through a
            sentence encoder; words:FILE, the mean word vectors of class names; or a file:
            .mat with `att` (A', C), and `allclasses_names` if classes are to be matched by name;
            .npy (C, A') in the order of the classes; .csv, .tsv or .xlsx with a class name in the first
            column of each row, and optionally the names of the columns in a first line.
        data_root: folder of the known datasets, `default_data_root()` if None.

    Raises:
        InputError: for an unknown name, or a file that is missing or does not describe every class with finite numbers.
    """
    if spec in SEMANTICS:
        described = SEMANTICS[spec](benchmark, data_root or default_data_root())
        if not isinstance(described, Benchmark):
            kind = type(described).__name__
            raise InputError(f"the semantics '{spec}' gave a {kind}: return benchmark.with_semantics(...) instead.")
        return described
    words = TextSpec.of(spec)
    if words.kind in TEXTS:
        return TEXTS[words.kind](benchmark, words)
    path = Path(spec).expanduser()
    readers = {".mat": _read_mat, ".npy": _read_npy, **dict.fromkeys(SUFFIXES, _read_table)}
    if path.suffix.lower() not in readers:
        if "/" in spec or path.exists():
            raise InputError(f"{path}: semantics are read from a {', '.join(readers)} file.")
        raise unknown("semantics", spec, (*SEMANTICS, *TEXTS, "FILE.mat", "FILE.npy", "FILE.csv"))
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    semantics, names = readers[path.suffix.lower()](benchmark, path)
    return benchmark.with_semantics(semantics, names, f"{path.name} {sha256_file(path)}")


@SEMANTICS.register("att")
def own_attributes(benchmark: Benchmark, data_root: Path) -> Benchmark:
    """The semantics that the benchmark comes with."""
    if "semantics" not in benchmark.sources:
        return benchmark
    _check_known(benchmark, "att")
    own = read_xlsa17(benchmark.name, data_root)
    sources = {k: v for k, v in benchmark.sources.items() if k != "semantics"}
    kept = {k: getattr(own, k) for k in ("semantics", "attribute_names", "attribute_vectors")}
    return replace(benchmark, sources=sources, **kept)


@SEMANTICS.register("original_att")
def original_attributes(benchmark: Benchmark, data_root: Path) -> Benchmark:
    """The attributes as they were annotated, not normalised: `original_att` of att_splits.mat."""
    _check_known(benchmark, "original_att")
    path = find_folder(benchmark.name, data_root) / SPLITS
    semantics, names = _read_mat(benchmark, path, "original_att")
    source = f"{path.name} original_att {sha256_file(path)}"
    if "semantics" not in benchmark.sources:  # the same attributes: their names and word vectors still apply
        return replace(benchmark, semantics=semantics, sources={**benchmark.sources, "semantics": source})
    return benchmark.with_semantics(semantics, names, source)


@SEMANTICS.register("sentences")
def sentences(benchmark: Benchmark, data_root: Path) -> Benchmark:
    """Embedded sentences about the classes: `att` of sent_splits.mat."""
    _check_known(benchmark, "sentences")
    folder = find_folder(benchmark.name, data_root)
    path = folder / SENTENCES
    if not path.is_file():
        raise InputError(f"{benchmark.name} has no sentence semantics: put {SENTENCES} into {folder}.")
    semantics, names = _read_mat(benchmark, path)
    return benchmark.with_semantics(semantics, names, f"{path.name} att {sha256_file(path)}")


def _check_known(benchmark: Benchmark, spec: str) -> None:
    if benchmark.name not in FOLDERS:
        raise InputError(f"{benchmark.name} has no semantics named '{spec}': give a .mat, .npy or .csv file.")


def _read_mat(benchmark: Benchmark, path: Path, variable: str = "att") -> tuple[np.ndarray, tuple[str, ...]]:
    held = mat_variables(path)
    columns = read_array(path, variable)
    if columns.ndim != 2:
        raise InputError(f"{path}: {variable} must have one row per attribute and one column per class.")
    if {*LOCS.values()} <= held.keys():
        _check_same_splits(benchmark, path)
    if "allclasses_names" in held:
        names = [n.strip() for n in read_strings(path, "allclasses_names")]
        if len(names) != columns.shape[1]:
            raise InputError(f"{path}: {variable} has {columns.shape[1]} columns for {len(names)} allclasses_names.")
        return _by_name(benchmark, path, dict(zip(names, columns.T))), numbered(len(columns))
    return _checked(benchmark, path, columns.T, "column"), numbered(len(columns))


def _check_same_splits(benchmark: Benchmark, path: Path) -> None:
    """Check that semantics with a split of their own were made for the benchmark's split."""
    if benchmark.name not in FOLDERS:
        return
    for part, variable in LOCS.items():
        rows = read_rows(path, variable, len(benchmark.labels))
        if not np.array_equal(np.sort(rows), np.sort(getattr(benchmark, part))):
            raise InputError(
                f"{path}: its {variable} is not that of {benchmark.name}: use semantics of the same split."
            )


def _read_npy(benchmark: Benchmark, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    semantics = read_npy(path)
    if semantics.ndim != 2:
        raise InputError(f"{path}: semantics must have two dimensions (classes, attributes), not {semantics.shape}.")
    return _checked(benchmark, path, semantics, "row"), numbered(semantics.shape[1])


def _read_table(benchmark: Benchmark, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    lines = read_lines(path)
    names = numbered(len(lines[0][1]) - 1)
    if lines[0][1][0] not in benchmark.class_names and not all(map(_is_number, lines[0][1][1:])):
        names = tuple(lines.pop(0)[1][1:])
    rows: dict[str, np.ndarray] = {}
    for line, (name, *values) in lines:
        if name in rows:
            raise InputError(f"{path} line {line}: class '{name}' is described twice.")
        if name not in benchmark.class_names:
            raise InputError(f"{path} line {line}: {unknown('class', name, benchmark.class_names)}")
        rows[name] = np.array([parse_number(path, line, column, text) for column, text in zip(names, values)])
    return _by_name(benchmark, path, rows), names


def _is_number(text: str) -> bool:
    try:
        return text[:1] in "+-.0123456789" and parse_cell(text) is not None
    except ValueError:
        return False


def _by_name(benchmark: Benchmark, path: Path, rows: dict[str, np.ndarray]) -> np.ndarray:
    """Rows in the benchmark's order; the file may describe further classes."""
    missing = [n for n in benchmark.class_names if n not in rows]
    if missing:
        raise InputError(f"{path} does not describe class '{missing[0]}' ({len(missing)} classes are missing).")
    return _checked(benchmark, path, np.stack([rows[n] for n in benchmark.class_names]), "class")


def _checked(benchmark: Benchmark, path: Path, semantics: np.ndarray, unit: str) -> np.ndarray:
    if len(semantics) != len(benchmark.class_names):
        count = len(benchmark.class_names)
        raise InputError(f"{path} describes {len(semantics)} classes, but {benchmark.name} has {count}.")
    semantics = semantics.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(semantics).all(1))
    if len(bad):
        which = f"'{benchmark.class_names[bad[0]]}'" if unit == "class" else str(bad[0] + 1)
        raise InputError(f"{path}: {unit} {which} holds NaN or infinity; fill it in.")
    return semantics
