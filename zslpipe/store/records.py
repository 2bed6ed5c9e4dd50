"""Commit records: a piece exists if its record does, and the record holds its checksums."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zslpipe.json_types import mismatch
from zslpipe.store.failure import Failure
from zslpipe.store.layout import PIECES, Layout
from zslpipe.store.sealed import Broken, Sum, read_sealed, read_sums, sealed_bytes


@dataclass(frozen=True)
class Record:
    """What was committed for one piece: the checksums of its chunk files by name, the failed images by row."""

    piece: int
    files: dict[str, Sum]
    failures: dict[int, Failure]

    def to_bytes(self, layout: Layout) -> bytes:
        return sealed_bytes(
            {
                **_identity(layout, self.piece),
                "files": {name: list(file_sum) for name, file_sum in self.files.items()},
                "failures": {str(row): asdict(failure) for row, failure in self.failures.items()},
            }
        )


def read_sealed_record(root: Path, layout: Layout, piece: int) -> Record:
    """Read the record of a piece and nothing else.

    Raises:
        FileNotFoundError: if the piece is missing.
        Broken: if the record is damaged or belongs to another piece or store.
    """
    value: dict[str, Any] = read_sealed(root / layout.record_name(piece))
    names = {layout.chunk_name(tap, piece) for tap in layout.taps}
    if {k: value.get(k) for k in ("fingerprint", "rows")} != _identity(layout, piece):
        raise Broken("belongs to another piece or store")
    sums, failures = read_sums(value.get("files")), value.get("failures", {})
    if set(sums) != names:
        raise Broken("belongs to another piece or store")
    if wrong := mismatch(failures, dict[str, Failure], "failures"):
        raise Broken(f"is not the record of a piece ({wrong})")
    if not set(failures) <= set(map(str, layout.piece_range(piece))):
        raise Broken("describes failures of other rows")
    return Record(piece, sums, {int(row): Failure(**failure) for row, failure in failures.items()})


def read_record(root: Path, layout: Layout, piece: int) -> Record:
    """Read the record of a piece and check that its chunk files have the right length (`verify` checks their contents).

    Raises:
        FileNotFoundError: if the piece is missing.
        Broken: if it cannot be read.
    """
    record = read_sealed_record(root, layout, piece)
    for name, file_sum in record.files.items():
        if (root / name).stat().st_size != file_sum.bytes:
            raise Broken(f"describes {name}, which is incomplete")
    return record


def _identity(layout: Layout, piece: int) -> dict[str, Any]:
    rows = layout.piece_range(piece)
    return {"fingerprint": layout.fingerprint, "rows": [rows.start, rows.stop]}


def committed_pieces(root: Path) -> list[int]:
    """Numbers of the pieces that have a record, damaged or not."""
    try:
        stems = [p.stem for p in (root / PIECES).iterdir() if p.suffix == ".json"]
    except FileNotFoundError:
        return []
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())
