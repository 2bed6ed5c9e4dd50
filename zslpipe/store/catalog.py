"""The stores in a cache."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zslpipe.errors import InputError
from zslpipe.store.layout import GROUP, PIECES, STORE, Layout, TapSpec
from zslpipe.store.metadata import read_store_record
from zslpipe.store.provenance import backbone_name
from zslpipe.store.records import committed_pieces

if TYPE_CHECKING:
    from zslpipe.store.feature_store import FeatureStore

STORES = "stores"  # folder within the cache


@dataclass(frozen=True)
class StoreSummary:
    """One line of a listing; `problem` says why a store cannot be opened, None if it can."""

    path: Path
    changed: float  # seconds since the epoch
    dataset: str = ""
    backbone: str = ""
    fingerprint: str = ""
    taps: tuple[tuple[str, TapSpec], ...] = ()
    rows: int = 0
    written: int = 0  # rows of committed pieces, images that failed among them
    bytes: int = 0
    problem: str | None = None


def store_path(cache: Path, dataset: str, backbone: str, fingerprint: str) -> Path:
    """The folder for a store of these features: different settings never share one."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{dataset}-{backbone}").strip("-.")
    return cache / STORES / f"{words}-{fingerprint[:12]}"


def stores(cache: Path) -> list[StoreSummary]:
    """All stores of the cache, the most recently changed first."""
    found = [summary(folder) for folder in (cache / STORES).glob("[!.]*") if folder.is_dir()]
    return sorted(found, key=lambda s: (-s.changed, s.path.name))


def summary(path: Path) -> StoreSummary:
    """The summary of the store at `path`, which may be damaged.

    It takes the same time for every size of store: the commit records of pieces are counted, not read.
    """
    changed = max((path / name).stat().st_mtime for name in (STORE, PIECES, ".") if (path / name).exists())
    try:
        layout, _ = read_store_record(path)
    except InputError as problem:
        return StoreSummary(path, changed, problem=str(problem))
    pieces = [piece for piece in committed_pieces(path) if piece < layout.pieces]
    return StoreSummary(
        path=path,
        changed=changed,
        dataset=layout.dataset,
        backbone=backbone_name(layout.provenance),
        fingerprint=layout.fingerprint,
        taps=tuple(layout.taps.items()),
        rows=layout.rows,
        written=sum(len(layout.piece_range(piece)) for piece in pieces),
        bytes=_chunk_bytes(path, layout, len(pieces)),
    )


def _chunk_bytes(path: Path, layout: Layout, pieces: int) -> int:
    """Bytes of the chunk files; compressed ones have to be looked at."""
    if layout.compression is None:
        return pieces * sum(layout.chunk_bytes(tap) for tap in layout.taps)
    return sum(file.stat().st_size for tap in layout.taps for file in (path / GROUP / tap).glob("c.*"))


def newest_store(cache: Path, dataset: str | None = None, backbone: str | None = None) -> "FeatureStore":
    """The most recently changed store, of this dataset and backbone if they are given.

    Raises:
        InputError: if the cache has none.
    """
    from zslpipe.store.feature_store import FeatureStore  # imports torch, which listings do without

    for found in stores(cache):
        if found.problem is None and dataset in (None, found.dataset) and backbone in (None, found.backbone):
            return FeatureStore.open(found.path)
    of = " ".join([*([f"of {dataset}"] if dataset else []), *([f"by {backbone}"] if backbone else [])])
    raise InputError(f"{cache} holds no feature store{' ' + of if of else ''}: run zslpipe extract or zslpipe import.")
