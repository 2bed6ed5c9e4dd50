"""`zslpipe import`, `zslpipe export` and `zslpipe data table`: features and tables of other forms."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zslpipe.data.known import FOLDERS
from zslpipe.data.load import load_benchmark
from zslpipe.data.matlab import mat_variables
from zslpipe.data.xlsa17 import find_folder, find_labels_file
from zslpipe.errors import InputError
from zslpipe.store.exporting import Exported, export_h5, export_mat, export_npy
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.importing import import_features
from zslpipe.workflows.find import find_store
from zslpipe.workflows.workspace import Workspace


def import_store(
    workspace: Workspace,
    files: Sequence[Path],
    dataset: str,
    *,
    class_table: Path | None = None,
    tap: str | None = None,
    name: str | None = None,
) -> FeatureStore:
    """Make a store of features that stand in `files`, checked row by row against the data set."""
    benchmark = load_benchmark(
        dataset, workspace.data_root, class_table, workspace.cache, labels_file(workspace, files, dataset)
    )
    return import_features(files, benchmark, workspace.cache, tap, backbone=name)


def labels_file(workspace: Workspace, files: Sequence[Path], dataset: str) -> Path | None:
    """Which of the files must also say what the rows are, since the data set's own folder does not."""
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
    """Write a store's tap as res101.mat with att_splits.mat, as .npy (both into a folder), or as one .h5 file."""
    found = find_store(workspace, store)
    write = {"mat": export_mat, "npy": export_npy, "h5": export_h5}[format_]
    return write(found, out, tap, drop_failed=drop_failed)


def write_class_table(workspace: Workspace, dataset: str, images: Path, out: Path) -> dict[str, Any]:
    """Write the class table of an image folder whose classes are some of a known data set's."""
    from zslpipe.data.make_class_table import make_class_table

    benchmark = load_benchmark(dataset, workspace.data_root, cache=workspace.cache)
    written = make_class_table(benchmark, images, out)
    return {"files": [str(file) for file in written.files], "notes": list(written.notes)}
