"""How fast region features are read: the store against numpy.memmap, zarr-python and gzip HDF5, in one run.

    python benchmarks/store_read.py [--rows 4000] [--real STORE] [--batches 60] [--results FOLDER]

Every reader is given the same rows of the same numbers (49 regions x 2048 channels, float16, half of them zeros as
after a ReLU; or a store's own region tap) and answers with a new array in memory. Readers take turns within every
repetition, so that whatever else the machine does hits them alike; medians are compared. The page cache is warm
(every file is read once before) but for the lines called cold, before each of which the system is asked to forget
the files; what it keeps all the same is written beside them (pages that something maps are not forgotten).
gzip files hold fewer rows: reading a row of them does not depend on how many there are, making them does.
"""

import argparse
import gc
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import zarr
from common import RESULTS, device_name, result_file, write_table
from h5py._hl.filters import guess_chunk

from zslpipe.data.benchmark import Benchmark
from zslpipe.progress import track
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec, good_piece_rows
from zslpipe.store.reader import open_rows

BATCH = 64
COLUMNS = (
    "what",
    "reader",
    "rows",
    "row_bytes",
    "repeats",
    "median_ms_or_ratio",
    "speed_vs_memmap",
    "cached_mib_before",
)
PEERS_ROWS = 11788  # CUB: chunks of peers' files follow from the size of the dataset
Reader = Callable[[np.ndarray], np.ndarray]


def fake_regions(rows: int) -> Callable[[int, int], np.ndarray]:
    """Blocks of rows as a ReLU leaves them, quickly made: a table of numbers, cut at another place for every row."""
    rng = np.random.default_rng(0)
    table = np.maximum(rng.normal(size=1 << 22), 0).astype(np.float16)
    starts = rng.integers(0, len(table) - 49 * 2048, rows)
    return lambda a, b: np.stack([table[s : s + 49 * 2048].reshape(49, 2048) for s in starts[a:b]])


def fake_benchmark(rows: int) -> Benchmark:
    labels = np.arange(rows) % 4
    order = np.arange(rows)
    return Benchmark(
        name="read",
        class_names=("a", "b", "c", "d"),
        semantics=np.eye(4, dtype=np.float32),
        attribute_names=("a", "b", "c", "d"),
        image_ids=tuple(f"{i}.jpg" for i in range(rows)),
        labels=labels,
        trainval=order[labels < 3],
        test_seen=order[:0],
        test_unseen=order[labels == 3],
    )


def write_store(
    path: Path,
    rows: int,
    shape: tuple[int, ...],
    block: Callable,
    compression: str | None,
    piece_rows: int | None = None,
) -> FeatureStore:
    spec = TapSpec(shape, "float16")
    piece_rows = piece_rows or good_piece_rows(rows, int(np.prod(shape)) * 2)
    provenance = {"fingerprinted": {"backbone": "benchmark"}, "recorded": {}}
    store = FeatureStore.create(path, fake_benchmark(rows), {"region": spec}, provenance, piece_rows, compression)
    for piece in track(store.missing_pieces(), f"writing {path.name}"):
        r = store.piece_rows_of(piece)
        store.write_piece(piece, {"region": block(r.start, r.stop)})
    return store


def write_memmap(path: Path, rows: int, shape: tuple[int, ...], block: Callable) -> None:
    whole = np.memmap(path, np.float16, "w+", shape=(rows, *shape))
    for a in range(0, rows, 256):
        whole[a : a + 256] = block(a, min(a + 256, rows))
    whole.flush()


def write_plain(path: Path, rows: int, shape: tuple[int, ...], block: Callable) -> None:
    with h5py.File(path, "w") as file:
        whole = file.create_dataset("x", (rows, *shape), "f2")
        for a in range(0, rows, 256):
            whole[a : a + 256] = block(a, min(a + 256, rows))


def write_gzip(path: Path, rows: int, shape: tuple[int, ...], block: Callable, peers: bool) -> None:
    """`peers`: (N, C, H, W) float32 in the chunks h5py chooses for a dataset of CUB's size, as extractors write it;
    else the best that gzip can do for random rows: float16, a chunk a row."""
    with h5py.File(path, "w") as file:
        if not peers:
            whole = file.create_dataset("x", (rows, *shape), "f2", chunks=(1, *shape), compression="gzip")
            for a in track(range(0, rows, 64), f"writing {path.name}"):
                whole[a : a + 64] = block(a, min(a + 64, rows))
            return
        regions, width = shape
        side = round(regions**0.5)
        size = (width, side, side) if side * side == regions else (width, regions, 1)
        chunks = tuple(min(c, n) for c, n in zip(guess_chunk((PEERS_ROWS, *size), None, 4), (rows, *size)))
        values = block(0, rows).transpose(0, 2, 1).reshape(rows, *size).astype(np.float32)
        file.create_dataset("x", data=values, chunks=chunks, compression="gzip")


def read_h5(path: Path) -> Reader:
    whole = h5py.File(path, "r")["x"]

    def read(index: np.ndarray) -> np.ndarray:
        unique, back = np.unique(index, return_inverse=True)  # h5py wants increasing rows
        return whole[unique][back]

    return read


def read_zarr(store: Path) -> Reader:
    whole = zarr.open_group(store / "features.zarr", mode="r")["region"]
    return lambda index: whole.oindex[index]


def files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]


def forget(*paths: Path) -> None:
    """Ask the system to drop the files from the page cache."""
    for path in paths:
        for file in files_of(path):
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def cached_mib(path: Path) -> float:
    """MiB of the files in the page cache, by fincore (util-linux)."""
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", *map(str, files_of(path))]
    return sum(map(int, subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())) / 2**20


def cold_readers(folder: Path, store: Path, rows: int, shape: tuple[int, ...]) -> dict[str, tuple[Path, Reader]]:
    """Readers opened anew, with the file or folder that each one reads."""
    ours = open_rows(FeatureStore.open(store), "region", most_bytes=0)
    mapped = np.memmap(folder / "memmap", np.float16, "r", shape=(rows, *shape))
    return {
        "numpy.memmap": (folder / "memmap", lambda i: np.asarray(mapped[i])),
        "store": (store, lambda i: ours[i]),
        "h5py, not compressed": (folder / "plain.h5", read_h5(folder / "plain.h5")),
    }


def interleaved(readers: dict[str, tuple[Reader, int, int]], batches: int) -> dict[str, list[float]]:
    """Seconds of each batch of `BATCH` random rows, readers in turn; {name: (reader, rows it has, every how many)}."""
    rng, taken = np.random.default_rng(1), {name: [] for name in readers}
    for turn in track(range(batches), "random batches"):
        draw = rng.random(BATCH)
        for name, (read, rows, every) in readers.items():
            if turn % every == 0:
                index = (draw * rows).astype(np.int64)
                start = time.perf_counter()
                read(index)
                taken[name].append(time.perf_counter() - start)
    return taken


def sequential(readers: dict[str, tuple[Reader, int, int]], repeats: int) -> dict[str, list[float]]:
    """Seconds for a run of 256 rows on the way through all, readers in turn."""
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for turn in track(range(repeats), "sequential"):
        for name, (read, rows, every) in list(readers.items())[:: 1 if turn % 2 else -1]:
            if turn % every:
                continue
            start = time.perf_counter()
            for a in range(0, rows, 256):
                read(slice(a, min(a + 256, rows)))
            taken[name].append((time.perf_counter() - start) / rows * 256)
    return taken


def cold(
    folder: Path, store: Path, rows: int, shape: tuple[int, ...]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of batches of random rows after the files were forgotten, and at most how many MiB were cached then."""
    times: dict[str, list[float]] = {}
    kept: dict[str, float] = {}
    rng = np.random.default_rng(3)
    names = ["numpy.memmap", "store", "h5py, not compressed"]
    for turn in range(9):
        index = np.sort(rng.integers(0, rows, BATCH))
        for name in names[turn % 3 :] + names[: turn % 3]:
            forget(folder / "memmap", folder / "plain.h5", store)
            path, read = cold_readers(folder, store, rows, shape)[name]
            kept[name] = max(kept.get(name, 0.0), cached_mib(path))
            start = time.perf_counter()
            read(index)
            times.setdefault(name, []).append(time.perf_counter() - start)
            del read
            gc.collect()
    return times, kept


def warm(
    folder: Path,
    store: FeatureStore,
    packed: FeatureStore,
    rows: int,
    shape: tuple[int, ...],
    few: int,
    batches: int,
) -> list[tuple[str, str, list[float], int]]:
    """Times of random and of sequential batches with the files in the page cache; nothing stays mapped afterwards."""
    ours = open_rows(FeatureStore.open(store.path), "region", most_bytes=0)
    mapped = np.memmap(folder / "memmap", np.float16, "r", shape=(rows, *shape))
    decoded = open_rows(packed, "region", most_bytes=0)
    for a in range(0, rows, 256):  # warms the page cache
        _ = ours[a : a + 256], np.array(mapped[a : a + 256])
    probe = np.random.default_rng(2).integers(0, few, 8)
    for other in (ours, decoded, read_zarr(store.path), read_h5(folder / "rows.h5")):
        got = other(probe) if callable(other) else other[probe]
        assert np.array_equal(got, mapped[probe])

    readers = {
        "numpy.memmap": (lambda i: np.asarray(mapped[i]), rows, 1),
        "store": (lambda i: ours[i], rows, 1),
        "store, zarr-python": (read_zarr(store.path), rows, 6),
        "store, zstd": (lambda i: decoded[i], rows, 6),
        "gzip h5, float16, a chunk a row": (read_h5(folder / "rows.h5"), few, 6),
        "gzip h5 as peers write it": (read_h5(folder / "peers.h5"), few, 30),
    }
    lines = [("random 64, warm", name, times, BATCH) for name, times in interleaved(readers, batches).items()]

    copies = {
        "numpy.memmap": (lambda s: np.array(mapped[s]), rows, 1),
        "store": (lambda s: ours[s], rows, 1),
        "store, zarr-python": (lambda s: zarr_array[s], rows, 6),
        "store, zstd": (lambda s: decoded[s], rows, 6),
        "gzip h5, float16, a chunk a row": (lambda s: rows_h5[s], few, 6),
    }
    zarr_array = zarr.open_group(store.path / "features.zarr", mode="r")["region"]
    rows_h5 = h5py.File(folder / "rows.h5", "r")["x"]
    lines += [("sequential 256, warm", name, t, 256) for name, t in sequential(copies, 18).items()]

    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--gzip-rows", type=int, default=738)
    parser.add_argument("--real", type=Path, help="a store with a region tap in float16")
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--cold", action="store_true", help="only the cold lines, of a copy of the store")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, help="where the files are made (default: a temporary folder)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        if options.real:
            store = FeatureStore.open(options.real)
            rows, shape = len(store), store.taps["region"].shape

            def block(a: int, b: int) -> np.ndarray:
                # Opened and closed each time: what is mapped cannot be forgotten later.
                return open_rows(FeatureStore.open(options.real), "region", most_bytes=0)[a:b].astype(np.float16)
        else:
            rows, shape = options.rows, (49, 2048)
            block = fake_regions(rows)
            store = write_store(folder / "store", rows, shape, block, None)
        row_bytes = int(np.prod(shape)) * 2
        few = min(options.gzip_rows, rows)
        write_memmap(folder / "memmap", rows, shape, block)
        write_plain(folder / "plain.h5", rows, shape, block)
        if options.cold:
            copy = write_store(folder / "copy", rows, shape, block, None)  # which nobody else has mapped
            times, kept = cold(folder, copy.path, rows, shape)
            base = statistics.median(times["numpy.memmap"])
            table = []
            for name, taken in times.items():
                seconds = statistics.median(taken)
                numbers = f"{1e3 * seconds:.3f}", f"{base / seconds:.4f}", f"{kept[name]:.1f}"
                table.append(["random 64, cold", name, rows, row_bytes, len(taken), *numbers])
            kind = "cold-real" if options.real else "cold"
            file = result_file(f"store_read-{kind}", folder=options.results)
            write_table(file, [dict(zip(COLUMNS, line)) for line in table])
            return
        packed = write_store(folder / "zstd", rows, shape, block, "zstd")
        write_gzip(folder / "peers.h5", few, shape, block, peers=True)
        write_gzip(folder / "rows.h5", few, shape, block, peers=False)

        many = write_store(folder / "many", 600, (4, 64), lambda a, b: np.ones((b - a, 4, 64), np.float16), None, 1)
        opening = []
        for _ in range(9):
            started = time.perf_counter()
            FeatureStore.open(many.path)
            opening.append(time.perf_counter() - started)
        open_ms = statistics.median(opening) * 1e3
        lines = warm(folder, store, packed, rows, shape, few, options.batches)
        gc.collect()
        times, kept = cold(folder, store.path, rows, shape)
        lines += [("random 64, cold", name, taken, BATCH) for name, taken in times.items()]
        ratio = store.bytes / packed.bytes

    medians = {(what, name): statistics.median(times) for what, name, times, _ in lines}
    print(f"{rows} rows of {row_bytes / 1024:.0f} KiB ({'real' if options.real else 'made'}), {device_name()}")
    print(f"{'':22s}{'':34s}{'ms':>9s}{'GB/s':>8s}{'x memmap':>10s}")
    table = []
    for what, name, times, count in lines:
        seconds = medians[what, name]
        speed = medians[what, "numpy.memmap"] / seconds
        print(f"{what:22s}{name:34s}{seconds * 1e3:9.2f}{count * row_bytes / seconds / 1e9:8.2f}{speed:10.3f}")
        resident = f"{kept[name]:.1f}" if what == "random 64, cold" else ""
        table.append([what, name, rows, row_bytes, len(times), f"{seconds * 1e3:.3f}", f"{speed:.4f}", resident])
    base = "random 64, warm"
    for name in ("gzip h5, float16, a chunk a row", "gzip h5 as peers write it"):
        print(f"store is {medians[base, name] / medians[base, 'store']:.0f} times as fast as {name}")
    print(
        f"opening a store of {many.pieces} pieces: {open_ms:.1f} ms; zstd makes the features {ratio:.2f} times smaller"
    )
    table.append(["open", f"{many.pieces} pieces", many.pieces, "", len(opening), f"{open_ms:.3f}", "", ""])
    table.append(["zstd ratio", "real" if options.real else "made", rows, row_bytes, 1, f"{ratio:.4f}", "", ""])
    kind = "-real" if options.real else ""
    write_table(result_file(f"store_read{kind}", folder=options.results), [dict(zip(COLUMNS, line)) for line in table])


if __name__ == "__main__":
    main()
