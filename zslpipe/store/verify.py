"""Verification of a store: every file is read and compared with its checksum, and unknown files are reported."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from zslpipe.errors import OtherVersionError
from zslpipe.files import temporary
from zslpipe.progress import track
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import COMPLETE, GROUP, LOCK, PIECES, STORE, Layout
from zslpipe.store.metadata import is_unfinished, read_group_header, read_store_record
from zslpipe.store.records import Record, committed_pieces, read_sealed_record
from zslpipe.store.sealed import Broken, Sum, read_sealed, sum_of
from zslpipe.store.writing import complete_mark

RECORD, METADATA, JUNK = "record", "metadata", "junk"
HASHERS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Damage:
    """One file that differs from what was written.

    Args:
        piece: the piece it belongs to, None for metadata and unknown files.
        part: name of the tap for chunk files, else "record", "metadata" or "junk".
        file: path within the store.
        what: what is wrong with it, as a phrase that follows the name of the file.
        rows: the rows that are lost.
    """

    piece: int | None
    part: str
    file: str
    what: str
    rows: range = range(0)

    def __str__(self) -> str:
        lost = f" (rows {self.rows.start} to {self.rows.stop - 1})" if len(self.rows) else ""
        return f"{self.file} {self.what}{lost}"


def verify(store: FeatureStore | Path) -> list[Damage]:
    """Read every byte of a store and compare it with what was committed.

    Missing pieces of an unfinished extraction are not damage, nor is an unfinished creation; in a store that was
    complete they are.

    Raises:
        InputError: if there is no store.
    """
    root = store.path if isinstance(store, FeatureStore) else store
    if (root / PIECES).exists() and is_unfinished(root) and not committed_pieces(root):
        return []  # its creation was interrupted; whoever creates it next goes on with it
    damages, layout, sums = _own_record(root)
    if layout is None:
        return damages
    with ThreadPoolExecutor(HASHERS) as pool:
        for name, wrong in zip(sums, pool.map(lambda n: _compare(root / n, sums[n]), sums)):
            if wrong:
                damages.append(Damage(None, METADATA, name, wrong))
        pieces = pool.map(lambda piece: _piece(root, layout, piece), range(layout.pieces))
        found = list(track(pieces, f"verifying {root.name}", layout.pieces))
    was_complete = (root / COMPLETE).exists()
    for committed, of_piece in found:
        if committed or was_complete:
            damages.extend(of_piece)
    damages.extend(_mark(root, layout, all(committed for committed, _ in found)))
    uncommitted = {piece for piece, (committed, _) in enumerate(found) if not committed}
    damages.extend(_unknown_files(root, layout, uncommitted))
    return damages


def _own_record(root: Path) -> tuple[list[Damage], Layout | None, dict[str, Sum]]:
    """Damage of the store's own record; its layout, from the zarr group if the record is lost; metadata checksums."""
    try:
        return [], *read_store_record(root)
    except OtherVersionError:
        raise
    except Exception as problem:
        if not (root / STORE).exists() and not (root / GROUP).exists():
            raise
        damages = [Damage(None, METADATA, STORE, "is damaged" if (root / STORE).exists() else "is missing")]
        try:
            return damages, read_group_header(root), {}
        except (OSError, Broken):
            damages.append(Damage(None, METADATA, f"{GROUP}/zarr.json", f"cannot replace it ({problem})"))
            return damages, None, {}


def _compare(path: Path, expected: Sum) -> str | None:
    """What is wrong with a file, None if it is intact."""
    try:
        found = sum_of(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"
    if found.bytes != expected.bytes:
        return f"has {found.bytes} bytes instead of {expected.bytes}"
    return None if found == expected else "has different contents than were written"


def _piece(root: Path, layout: Layout, piece: int) -> tuple[bool, list[Damage]]:
    """Whether the piece has a record, and all its damage."""
    rows, record_name = layout.piece_range(piece), layout.record_name(piece)
    try:
        record: Record = read_sealed_record(root, layout, piece)
    except FileNotFoundError:
        return False, [Damage(piece, RECORD, record_name, "is missing", rows)]
    except Broken as problem:
        return True, [Damage(piece, RECORD, record_name, str(problem), rows)]
    except OSError as problem:
        return True, [Damage(piece, RECORD, record_name, f"cannot be read ({problem.strerror})", rows)]
    wrong = []
    for tap in layout.taps:
        name = layout.chunk_name(tap, piece)
        what = _compare(root / name, record.files[name])
        if what:
            wrong.append(Damage(piece, tap, name, what, rows))
    return True, wrong


def _mark(root: Path, layout: Layout, all_committed: bool) -> Iterator[Damage]:
    """The completion mark must exist if all pieces do, and be intact if it exists."""
    path = root / COMPLETE
    try:
        read_sealed(path)
        if path.read_bytes() != complete_mark(layout):
            yield Damage(None, METADATA, COMPLETE, "belongs to another store")
    except FileNotFoundError:
        if all_committed:
            yield Damage(None, METADATA, COMPLETE, "is missing")
    except (OSError, Broken):
        yield Damage(None, METADATA, COMPLETE, "is damaged")


def _unknown_files(root: Path, layout: Layout, uncommitted: set[int]) -> Iterator[Damage]:
    """What does not belong to the store. Temporary files of pieces that are still missing do belong to it."""
    files = {
        STORE,
        COMPLETE,
        LOCK,
        *layout.metadata_names,
    }
    unfinished = {COMPLETE} if not uncommitted else set()
    for piece in range(layout.pieces):
        of_piece = {layout.record_name(piece), *(layout.chunk_name(tap, piece) for tap in layout.taps)}
        files |= of_piece
        unfinished |= of_piece if piece in uncommitted else set()
    folders = {GROUP, PIECES, *(f"{GROUP}/{tap}" for tap in layout.taps)}
    files |= {temporary(Path(name)).as_posix() for name in unfinished}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_dir() and not path.is_symlink():
            if name not in folders:
                yield Damage(None, JUNK, name, "does not belong here")
        elif name not in files:
            yield Damage(None, JUNK, name, "does not belong here")
        elif name == LOCK and path.stat().st_size:
            yield Damage(None, JUNK, name, "should be empty")
