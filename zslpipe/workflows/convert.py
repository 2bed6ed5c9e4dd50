"""`zslpipe import`, `zslpipe export` and `zslpipe data table`: features and class tables in other formats."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zslpipe.data.known import FOLDERS
from zslpipe.data.known_classes import KnownClasses
from zslpipe.data.load import load_benchmark
from zslpipe.data.matlab import mat_variables
from zslpipe.data.xlsa17 import find_folder, find_labels_file, read_known_classes
from zslpipe.errors import InputError
from zslpipe.store.exporting import Exported, export_h5, export_mat, export_npy
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.importing import import_features
from zslpipe.workflows.find import find_store, lasting
from zslpipe.workflows.workspace import Workspace


def import_store(
    workspace: Workspace,
    files: Sequence[Path],
    dataset: str,
    *,
    class_table: Path | None = None,
    tap: str | None = None,
    key: str | None = None,
    dtype: str | None = None,
    compression: str | None = None,
    grid: tuple[int, int] | None = None,
    name: str | None = None,
) -> FeatureStore:
    """Create a store from the features in `files`, checked row by row against the dataset.

    Args:
        workspace: where datasets and stores are.
        files, tap, key, dtype, compression, grid: as for `store.importing.import_features`.
        dataset, class_table: as for `data.load.load_benchmark`.
        name: name of the feature extractor; None for the name of the first file.

    Raises:
        InputError: if a file cannot be read or its rows are not the dataset's images.
    """
    benchmark = load_benchmark(
        dataset, workspace.data_root, class_table, workspace.cache, labels_file(workspace, files, dataset)
    )
    return import_features(
        files,
        benchmark,
        workspace.cache,
        tap,
        key=key,
        dtype=dtype,
        backbone=name,
        compression=compression,
        grid=grid,
        request={
            "kind": "import",
            "files": [str(Path(file).absolute()) for file in files],
            "dataset": lasting(dataset),
            "class_table": class_table and str(class_table.absolute()),
            "tap": tap,
            "key": key,
            "dtype": dtype,
            "compression": compression,
            "grid": grid and list(grid),
            "name": name,
        },
    )


def labels_file(workspace: Workspace, files: Sequence[Path], dataset: str) -> Path | None:
    """The file that lists the labels and images of a known dataset, if the dataset's own folder has none."""
    if dataset not in FOLDERS:
        return None
    try:
        find_labels_file(find_folder(dataset, workspace.data_root))
        return None
    except InputError:
        listing = (f for f in files if f.suffix == ".mat" and {"labels", "image_files"} <= mat_variables(f).keys())
        return next(listing, None)


def export_store(
    workspace: Workspace, store: str | None, out: Path, *, format_: str, tap: str, drop_failed: bool
) -> Exported:
    """Write one tap of a store: as res101.mat and att_splits.mat or as .npy into a folder, or as one .h5 file."""
    found = find_store(workspace, store)
    write = {"mat": export_mat, "npy": export_npy, "h5": export_h5}[format_]
    return write(found, out, tap, drop_failed=drop_failed)


def write_class_table(workspace: Workspace, dataset: str, images: Path, out: Path) -> dict[str, Any]:
    """Write the class table of an image folder whose classes are some of a known dataset's."""
    from zslpipe.data.make_class_table import make_class_table

    if dataset in FOLDERS:
        known = read_known_classes(dataset, workspace.data_root)
    else:
        known = KnownClasses.of(load_benchmark(dataset, workspace.data_root, cache=workspace.cache))
    written = make_class_table(known, images, out)
    return {"files": [str(file) for file in written.files], "notes": list(written.notes)}
