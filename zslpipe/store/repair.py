"""Repair of a damaged store: metadata is rebuilt, damaged pieces become missing, for their workflow to recompute."""

from dataclasses import dataclass, field
from pathlib import Path

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, OtherVersionError
from zslpipe.store.claims import CREATION, claim
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import BENCHMARK, COMPLETE, LOCK, Layout
from zslpipe.store.metadata import image_list_hash, read_group_header, read_store_record, write_metadata
from zslpipe.store.sealed import Broken, explain_os_errors, sum_of
from zslpipe.store.verify import JUNK, METADATA, Damage, verify


@dataclass
class Repair:
    """What a repair did: pieces that are missing now, metadata files rebuilt, unknown files removed."""

    pieces: list[int] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def repair(path: Path, damages: list[Damage] | None = None, benchmark: Benchmark | None = None) -> Repair:
    """Rebuild metadata, remove unknown files and mark exactly the damaged pieces as missing.

    Args:
        path: folder of the store.
        damages: what `verify` found; by default it is called.
        benchmark: the store's benchmark, needed if `benchmark.npz` itself is damaged.

    Raises:
        InputError: if both copies of the store's header are lost, or `benchmark` is needed but missing or different.
        ZslpipeError: if another process is writing, or writing fails.
    """
    damages = verify(path) if damages is None else damages
    done = Repair()
    with explain_os_errors(f"could not repair {path}"):
        for damage in reversed(damages):  # the contents of a folder before the folder
            if damage.part == JUNK:
                _remove(path / damage.file)
                done.removed.append(damage.file)
        metadata = [d.file for d in damages if d.part == METADATA]
        if any(file != COMPLETE for file in metadata):
            with claim(path / LOCK, [CREATION], "the creation"):
                _rebuild(path, benchmark)
        if COMPLETE in metadata:
            (path / COMPLETE).unlink(missing_ok=True)
        done.rebuilt = metadata
        done.pieces = sorted({d.piece for d in damages if d.piece is not None})
        store = FeatureStore.open(path)
        if done.pieces:
            store.forget(done.pieces)
        store.finish()
    return done


def _rebuild(path: Path, given: Benchmark | None) -> None:
    """Write the metadata files again, from one of the two copies of the header."""
    layout = header_of(path)
    benchmark = _own_benchmark(path, layout) or given
    if benchmark is None:
        raise InputError(f"{path / BENCHMARK} is damaged: give the dataset ({layout.dataset}) to rebuild it.")
    if benchmark.name != layout.dataset or image_list_hash(benchmark) != layout.images:
        raise InputError(f"{path} is a store of {layout.dataset}, whose images are not those of {benchmark.name}.")
    write_metadata(path, layout, benchmark)


def _own_benchmark(path: Path, layout: Layout) -> Benchmark | None:
    """The store's own benchmark, None if damaged; if its checksum is lost, the archive's own checksums are used."""
    try:
        expected = read_store_record(path)[1][BENCHMARK]
    except InputError:
        expected = None
    try:
        if expected is not None and sum_of(path / BENCHMARK) != expected:
            return None
        benchmark = Benchmark.load(path / BENCHMARK)
    except (OSError, InputError):
        return None
    return benchmark if image_list_hash(benchmark) == layout.images else None


def header_of(path: Path) -> Layout:
    """The layout of a store, from either copy of its header; raises `InputError` if both are lost."""
    try:
        return read_store_record(path)[0]
    except OtherVersionError:
        raise
    except InputError as problem:
        try:
            return read_group_header(path)
        except (OSError, Broken):
            raise InputError(f"{path} has lost both copies of its header: remove it and extract again.") from problem


def _remove(path: Path) -> None:
    if path.name == LOCK:
        path.write_bytes(b"")  # kept, since others may hold locks on it
    elif path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
