"""Small stores with known contents."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec

TAPS = {"global": TapSpec((16,), "float32"), "region": TapSpec((4, 8), "float16")}
PROVENANCE = {
    "fingerprinted": {"backbone": {"name": "fake", "size": 224}, "dtype": "float16"},
    "recorded": {"torch": "2"},
}

Make = Callable[..., FeatureStore]
Fill = Callable[..., FeatureStore]


@pytest.fixture
def benchmark_(tiny: tuple[Benchmark, np.ndarray]) -> Benchmark:
    return tiny[0]


@pytest.fixture
def contents(tiny: tuple[Benchmark, np.ndarray]) -> dict[str, np.ndarray]:
    """What a finished store holds: (120, 16) and (120, 4, 8)."""
    rng = np.random.default_rng(1)
    return {"global": tiny[1], "region": rng.normal(size=(120, 4, 8)).astype(np.float16)}


@pytest.fixture
def make(benchmark_: Benchmark) -> Make:
    """Make an empty store of 120 rows in pieces of 32 (the last has 24)."""

    def create(path: Path, piece_rows: int = 32, compression: str | None = None) -> FeatureStore:
        return FeatureStore.create(path, benchmark_, TAPS, PROVENANCE, piece_rows, compression)

    return create


@pytest.fixture
def fill(contents: dict[str, np.ndarray]) -> Fill:
    """Write pieces of a store, by default all that are missing."""

    def write(
        store: FeatureStore, pieces: Iterable[int] | None = None, failed: Mapping[int, Failure] | None = None
    ) -> FeatureStore:
        for piece in store.missing_pieces() if pieces is None else pieces:
            rows = store.piece_rows_of(piece)
            values = {tap: contents[tap][rows.start : rows.stop] for tap in TAPS}
            store.write_piece(piece, values, {row: f for row, f in (failed or {}).items() if row in rows})
        return store

    return write


@pytest.fixture
def full(tmp_path: Path, make: Make, fill: Fill) -> FeatureStore:
    """A finished store."""
    return fill(make(tmp_path / "full"))


@pytest.fixture
def files() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder, as bytes."""

    def read(root: Path) -> dict[str, bytes]:
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}

    return read
