"""The files of a store that exist before its first piece."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, OtherVersionError
from zslpipe.files import sha256_json
from zslpipe.store.layout import BENCHMARK, GROUP, LOCK, PIECES, STORE, Layout, TapSpec
from zslpipe.store.sealed import (
    Broken,
    Sum,
    is_sealed,
    read_sealed,
    read_sums,
    sealed_bytes,
    sum_of,
    sync_folders,
    write_durable,
)

LABEL_BYTES = 8  # of an image in a benchmark, which holds more than that about it


def image_list_hash(benchmark: Benchmark) -> str:
    """Hash of the ordered list of image ids."""
    return sha256_json(list(benchmark.image_ids))


def layout_of(
    benchmark: Benchmark,
    taps: Mapping[str, TapSpec],
    provenance: dict[str, Any],
    piece_rows: int,
    compression: str | None = None,
) -> Layout:
    """The layout of a store for the images of a benchmark, in pieces of at most `piece_rows`."""
    rows = len(benchmark.labels)
    images = image_list_hash(benchmark)
    return Layout(benchmark.name, images, rows, max(1, min(piece_rows, rows)), dict(taps), compression, provenance)


def write_metadata(path: Path, layout: Layout, benchmark: Benchmark) -> dict[str, Sum]:
    """Write an empty store, its own record last; returns the checksums in that record."""
    folders = [path / PIECES, path / GROUP, *(path / GROUP / tap for tap in layout.taps)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for unfinished in path.glob(f".{BENCHMARK}.*.tmp"):  # left by a killed process
        unfinished.unlink()
    benchmark.save(path / BENCHMARK)
    sums = {name: write_durable(path / name, content) for name, content in layout.zarr_files().items()}
    sums[BENCHMARK] = sum_of(path / BENCHMARK)
    sync_folders([*folders, path])
    write_store_record(path, layout, sums)
    sync_folders([path.parent])
    return sums


def write_store_record(path: Path, layout: Layout, sums: dict[str, Sum]) -> None:
    record = {"header": layout.header(), "files": {name: list(file_sum) for name, file_sum in sums.items()}}
    write_durable(path / STORE, sealed_bytes(record))
    sync_folders([path])


def read_store_record(path: Path) -> tuple[Layout, dict[str, Sum]]:
    """The layout of a store, and the checksums of its metadata files.

    Raises:
        InputError: if there is no store, or its record is damaged or not one.
        OtherVersionError: if another version of zslpipe wrote it.
    """
    try:
        value = read_sealed(path / STORE)
        layout, sums = Layout.from_header(value.get("header")), read_sums(value.get("files"))
        if sums.keys() != set(layout.metadata_names) or sums[BENCHMARK].bytes < LABEL_BYTES * layout.rows:
            raise Broken("describes other files than those of a store")
    except OSError as problem:
        raise InputError(f"{path} is not a feature store (it has no {STORE}): extract or import first.") from problem
    except Broken as problem:
        raise InputError(f"{path / STORE} {problem}: repair the store.") from problem
    except OtherVersionError as problem:
        raise OtherVersionError(f"{path / STORE}: {problem} Install the version of zslpipe that wrote it.") from problem
    except InputError as problem:
        raise InputError(
            f"{path / STORE} is not the record of a store: {problem} Repair or remove the store."
        ) from None
    return layout, sums


def read_group_header(path: Path) -> Layout:
    """The layout of a store, from the copy of its header in the attributes of the zarr group.

    Raises:
        OSError: if it is missing.
        Broken: if it is damaged or not one.
        OtherVersionError: if another version of zslpipe wrote it.
    """
    try:
        header = json.loads((path / GROUP / "zarr.json").read_bytes())["attributes"]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise Broken("is not readable") from problem
    if not is_sealed(header):
        raise Broken("does not match its own checksum")
    try:
        return Layout.from_header(header)
    except OtherVersionError:
        raise
    except InputError as problem:
        raise Broken(f"is not a copy of the header: {problem}") from problem


def is_unfinished(path: Path) -> bool:
    """Whether this is what a killed `create` leaves behind: parts of a store without its record, or an empty folder."""
    parts = {LOCK, BENCHMARK, GROUP, PIECES, f".{STORE}.tmp"}
    return path.is_dir() and all(
        p.name in parts or (p.name.startswith(f".{BENCHMARK}.") and p.suffix == ".tmp") for p in path.iterdir()
    )
