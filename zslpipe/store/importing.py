"""Import features that other software extracted, after checking them against their benchmark."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import NO_CLASS, Benchmark
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.files import remove_folder, sha256_file
from zslpipe.progress import track
from zslpipe.store.catalog import store_path
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec, fits, good_piece_rows
from zslpipe.store.metadata import image_list_hash
from zslpipe.store.numbers import first_not_finite
from zslpipe.store.provenance import fingerprint
from zslpipe.store.row_order import in_order
from zslpipe.store.sources import Source, open_source


def import_features(
    files: Sequence[Path],
    benchmark: Benchmark,
    cache: Path,
    tap: str | None = None,
    *,
    key: str | None = None,
    dtype: str | None = None,
    backbone: str | None = None,
    compression: str | None = None,
    grid: tuple[int, int] | None = None,
    request: Mapping[str, Any] | None = None,
) -> FeatureStore:
    """Create a store from feature files, or resume an unfinished one.

    Values are kept: float16 and float32 bit by bit, float64 and integers as float32. Region maps (N, C, H, W)
    become (N, R, C). Files without features (att_splits.mat) may be among the files and are skipped.

    Args:
        files: .mat (v5 and v7.3), .h5, .hdf5, .npy or .npz; each with the features of a different tap.
        benchmark: the rows must be its images, in its order unless the file names them.
        cache: folder of stores and runs.
        tap: name for the features; by default from their shape: global (N, D), region (N, R, D) or (N, C, H, W).
        key: the variable that holds the features, if it has none of the usual names.
        dtype: "float16" or "float32" to convert them.
        backbone: name of the feature extractor; by default the name of the first file.
        compression: see `FeatureStore.create`.
        grid: (H, W) of regions (N, R, D), row by row, if it is not the usual square; maps (N, C, H, W) have their own.
        request: what to record with the store so that lost pieces can be imported again, as JSON.

    Raises:
        InputError: if a file cannot be read, its rows, labels or images are not those of the benchmark, or a value is
            NaN or infinite; the message names file and row.
    """
    with ExitStack() as stack:
        opened = []
        for file in files:
            source = open_source(Path(file), len(benchmark.labels), key)
            if source is not None:
                stack.callback(source.close)
                opened.append(source)
        if not opened:
            names = ", ".join(str(file) for file in files) or "no file"
            raise InputError(f"no features in {names}: name their variable with key, or give another file.")
        return _import(opened, benchmark, cache, tap, dtype, backbone, compression, grid, request)


def _import(
    opened: list[Source],
    benchmark: Benchmark,
    cache: Path,
    tap: str | None,
    dtype: str | None,
    backbone: str | None,
    compression: str | None,
    grid: tuple[int, int] | None,
    request: Mapping[str, Any] | None,
) -> FeatureStore:
    if tap is not None and len(opened) > 1:
        raise InputError(f"{len(opened)} files cannot be imported as one tap ('{tap}'): import them one by one.")
    sources = {tap or source.tap: source for source in opened}
    if len(sources) < len(opened):
        raise InputError(f"two files have {opened[0].tap} features: import them one by one.")
    if grid is not None and all(len(source.shape) == 2 for source in opened):
        raise InputError(f"{opened[0].path} has no regions, so it cannot have a grid {grid}.")
    moved = []
    for t, source in sources.items():
        sources[t], reordered = in_order(source, benchmark)
        moved += [t] * reordered
        check_labels(sources[t], benchmark)

    taps = {t: _spec(source, dtype, grid) for t, source in sources.items()}
    name = backbone or opened[0].path.stem
    provenance = {
        "fingerprinted": {
            "backbone": {"name": name},
            "dataset": benchmark.name,
            "images": image_list_hash(benchmark),
            "imported": {t: sha256_file(source.path) for t, source in sources.items()},
            "taps": {t: spec.header() for t, spec in taps.items()},
        },
        "recorded": {
            "files": {t: {"name": s.path.name, "dtype": str(s.dtype)} for t, s in sources.items()},
            "reordered": moved,
            **({} if request is None else {"request": dict(request)}),
        },
    }
    row_bytes = sum(int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize for spec in taps.values())
    path = store_path(cache, benchmark.name, name, fingerprint(provenance))
    store = FeatureStore.open_or_create(
        path, benchmark, taps, provenance, good_piece_rows(len(benchmark.labels), row_bytes), compression
    )
    store.redescribe(benchmark)
    try:
        with store.claim(range(store.pieces)) as missing:
            _require_space(path, len(missing) * sum(store.layout.chunk_bytes(t) for t in taps))
            for piece in track(missing, f"importing {name}"):
                rows = store.piece_rows_of(piece)
                store.write_piece(piece, {t: _block(source, rows, taps[t].dtype) for t, source in sources.items()})
    except InputError:
        remove_folder(path)  # it could never be finished
        raise
    return store


def _require_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path).free
    if needed > free:
        raise ZslpipeError(f"{path} needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: make space first.")


def _spec(source: Source, dtype: str | None, grid: tuple[int, int] | None) -> TapSpec:
    """How the source is stored; `grid` is for regions whose file does not contain one.

    Raises:
        InputError: if the grid contradicts the file.
    """
    kept = dtype or ("float16" if source.dtype == np.float16 else "float32")
    if len(source.shape) == 2 or grid is None:
        return TapSpec(source.shape[1:], kept, source.grid)
    regions = source.shape[1]
    if source.grid not in (None, grid) or not fits(grid, regions):
        own = f"a grid {source.grid}" if source.grid else f"{regions} regions"
        raise InputError(f"{source.path} has {own}, not a grid {grid}: give its own grid, or none.")
    return TapSpec(source.shape[1:], kept, grid)


def _block(source: Source, rows: range, dtype: str) -> np.ndarray:
    given = source.block(rows.start, rows.stop)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(given, dtype)
    bad = first_not_finite(values)
    if bad is not None:
        row = rows.start + bad
        if np.isfinite(given[bad].astype(np.float64)).all():
            raise InputError(f"{source.path}: row {row} is too large for {dtype}: give --dtype float32.")
        raise InputError(f"{source.path}: row {row} (from 0) contains NaN or infinity: extract that image again.")
    return values


def check_labels(source: Source, benchmark: Benchmark) -> None:
    """Raise `InputError` unless the source's labels are the benchmark's, row by row."""
    file, count = source.path, len(benchmark.labels)
    if source.labels is not None:
        if len(source.labels) != count:
            raise InputError(f"{file} has {len(source.labels)} labels for {count} images of {benchmark.name}.")
        labelled = benchmark.labels != NO_CLASS
        given, ours = source.labels[labelled].astype(np.int64), benchmark.labels[labelled]
        first = min((0, 1), key=lambda start: int((given - start != ours).sum()))  # from 0 or, as in MATLAB, from 1
        wrong = np.flatnonzero(given - first != ours)
        if len(wrong):
            row = int(np.flatnonzero(labelled)[wrong[0]])
            label, expected = source.labels[row], benchmark.labels[row] + first
            raise InputError(
                f"{file}: row {row} has label {label}, but {benchmark.image_ids[row]} has {expected} in "
                f"{benchmark.name}: give the dataset that these features were made from."
            )
