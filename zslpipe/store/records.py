"""Commit records: a piece exists when its record does, and the record says what it must look like."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zslpipe.extract.failure import Failure
from zslpipe.store.layout import PIECES, Layout
from zslpipe.store.sealed import Broken, Sum, read_sealed, sealed_bytes


@dataclass(frozen=True)
class Record:
    """What was committed for one piece: the sums of its chunk files by name, the failed images by row."""

    piece: int
    files: dict[str, Sum]
    failures: dict[int, Failure]

    def to_bytes(self, layout: Layout) -> bytes:
        return sealed_bytes(
            {
                "piece": self.piece,
                "fingerprint": layout.fingerprint,
                "files": {name: list(files_sum) for name, files_sum in self.files.items()},
                "failures": {str(row): asdict(failure) for row, failure in self.failures.items()},
            }
        )


def read_record(root: Path, layout: Layout, piece: int) -> Record:
    """Read the record of a piece.

    Raises:
        FileNotFoundError: where the piece is missing.
        Broken: where the record is damaged, belongs to another piece or store, or a chunk file is cut.
    """
    value: dict[str, Any] = read_sealed(root / layout.record_name(piece))
    names = {layout.chunk_name(tap, piece) for tap in layout.taps}
    if value["piece"] != piece or value["fingerprint"] != layout.fingerprint or set(value["files"]) != names:
        raise Broken("belongs to another piece or store")
    files = {name: Sum(*files_sum) for name, files_sum in value["files"].items()}
    for name, files_sum in files.items():
        if not (root / name).exists() or (root / name).stat().st_size != files_sum.bytes:
            raise Broken(f"is not followed by {name}, which is missing or cut")
    return Record(
        piece,
        files,
        {int(row): Failure(**failure) for row, failure in value["failures"].items()},
    )


def committed(root: Path) -> list[int]:
    """Numbers of the pieces that have a record, sound or not."""
    try:
        stems = [p.stem for p in (root / PIECES).iterdir() if p.suffix == ".json"]
    except FileNotFoundError:
        return []
    return sorted(int(stem) for stem in stems if stem.isdigit())
