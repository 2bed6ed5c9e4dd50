"""Verification and repair of a store in an object store: every object is read and compared with its checksum."""

import hashlib
from collections.abc import Iterator

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.progress import track
from zslpipe.store.layout import BENCHMARK, COMPLETE, STORE
from zslpipe.store.metadata import image_list_hash, write_metadata
from zslpipe.store.records import Record, read_sealed_record
from zslpipe.store.remote import RemoteStore, keep
from zslpipe.store.repair import Repair
from zslpipe.store.sealed import Broken, Sum
from zslpipe.store.verify import JUNK, METADATA, RECORD, Damage
from zslpipe.store.writing import complete_mark


def verify_remote(store: RemoteStore) -> list[Damage]:
    """What differs from what was written; missing pieces are damage only in a store that was complete."""
    bucket, layout = store.bucket, store.layout
    there = bucket.sizes()

    def compare(name: str, expected: Sum) -> str | None:
        if name not in there:
            return "is missing"
        if there[name] != expected.bytes:
            return f"has {there[name]} bytes instead of {expected.bytes}"
        same = hashlib.sha256(bucket.get(name)).hexdigest() == expected.sha256
        return None if same else "has different contents than were written"

    def of_piece(piece: int) -> tuple[bool, list[Damage]]:
        rows, name = layout.piece_range(piece), layout.record_name(piece)
        if name not in there:
            return False, [Damage(piece, RECORD, name, "is missing", rows)]
        keep(store.path / name, bucket.get(name))
        try:
            record: Record = read_sealed_record(store.path, layout, piece)
        except Broken as problem:
            return True, [Damage(piece, RECORD, name, str(problem), rows)]
        found = (
            (tap, chunk := layout.chunk_name(tap, piece), compare(chunk, record.files[chunk])) for tap in store.taps
        )
        return True, [Damage(piece, tap, chunk, wrong, rows) for tap, chunk, wrong in found if wrong]

    damages = [
        Damage(None, METADATA, n, wrong) for n, expected in store.sums.items() if (wrong := compare(n, expected))
    ]
    pieces = bucket.each(of_piece, range(layout.pieces))
    found = list(track(pieces, f"verifying {store.url}", layout.pieces))
    for committed, damaged in found:
        if committed or COMPLETE in there:
            damages.extend(damaged)
    damages.extend(_mark(store, there, all(committed for committed, _ in found)))
    chunks = {layout.chunk_name(tap, piece) for tap in store.taps for piece in range(layout.pieces)}
    known = {STORE, COMPLETE, *store.sums, *chunks, *(layout.record_name(piece) for piece in range(layout.pieces))}
    return damages + [Damage(None, JUNK, name, "does not belong here") for name in sorted(set(there) - known)]


def _mark(store: RemoteStore, there: dict[str, int], all_committed: bool) -> Iterator[Damage]:
    if COMPLETE not in there:
        if all_committed:
            yield Damage(None, METADATA, COMPLETE, "is missing")
    elif store.bucket.get(COMPLETE) != complete_mark(store.layout):
        yield Damage(None, METADATA, COMPLETE, "is damaged")


def repair_remote(store: RemoteStore, damages: list[Damage], benchmark: Benchmark | None = None) -> Repair:
    """As `repair`; chunks without a record, which killed writers have left, go too. Nobody may be writing meanwhile.

    Raises:
        InputError: if `benchmark.npz` is lost and `benchmark` is missing or has other images.
    """
    done, bucket = Repair(), store.bucket
    done.removed = [damage.file for damage in damages if damage.part == JUNK]
    done.rebuilt = [damage.file for damage in damages if damage.part == METADATA]
    bucket.delete([*done.removed, *([COMPLETE] if COMPLETE in done.rebuilt else [])])
    if BENCHMARK in done.rebuilt:
        if benchmark is None or image_list_hash(benchmark) != store.layout.images:
            raise InputError(f"{store.url}/{BENCHMARK} is lost: give the dataset ({store.dataset}) to rebuild it.")
        store.sums = write_metadata(store.path, store.layout, benchmark)
        bucket.replace(BENCHMARK, (store.path / BENCHMARK).read_bytes())
        bucket.replace(STORE, (store.path / STORE).read_bytes())
    for name, content in store.layout.zarr_files().items():
        if name in done.rebuilt:
            bucket.replace(name, content)
    done.pieces = sorted({damage.piece for damage in damages if damage.piece is not None})
    if lost := sorted({*done.pieces, *_orphans(store)}):
        store.forget(lost)
    store.finish()
    return done


def _orphans(store: RemoteStore) -> list[int]:
    """Pieces with chunks but without a record."""
    there = store.bucket.sizes()
    chunks = {p for p in range(store.pieces) for tap in store.taps if store.layout.chunk_name(tap, p) in there}
    return [piece for piece in chunks if store.layout.record_name(piece) not in there]
