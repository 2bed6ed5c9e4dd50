"""The layout of a store on disk.

    STORE/
      store.json              the store's own record, written last at creation: header, checksums of the files below
      benchmark.npz           images, classes, semantics and split
      features.zarr/          a zarr v3 group for any zarr client; its attributes are the header
        global/  c.PIECE.0    one array per tap, one chunk per piece
        region/  c.PIECE.0.0
      pieces/000012.json      the commit record of a piece, written last: checksums of its chunks, failed images
      complete.json           written when no piece is missing
      .lock                   empty; writers lock byte ranges of it

No file contains a time, a host name or anything else that differs between two runs over the same images.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zslpipe.errors import InputError, OtherVersionError
from zslpipe.json_types import missing_or_mismatched, shown
from zslpipe.store.provenance import check_provenance, fingerprint
from zslpipe.store.sealed import seal

if TYPE_CHECKING:
    import zarr

FORMAT = 1
DTYPES = ("float16", "float32")
COMPRESSIONS = (None, "zstd")

STORE, COMPLETE, BENCHMARK, LOCK = "store.json", "complete.json", "benchmark.npz", ".lock"
GROUP, PIECES = "features.zarr", "pieces"

TAP_HEADER: dict[str, Any] = {"shape": list[int], "dtype": str}
HEADER: dict[str, Any] = {
    "dataset": str,
    "images": str,
    "rows": int,
    "piece_rows": int,
    "taps": dict[str, dict[str, Any]],
    "compression": str | None,
    "provenance": dict[str, dict[str, Any]],
}
SEALING = {"format", "fingerprint", "sha256"}  # what else a header contains
MOST_ROWS, MOST_BYTES = 1 << 32, 1 << 60  # more can only come from a damaged or malicious header

PIECE_BYTES = 32 << 20  # large enough to be read at full speed, small enough to be recomputed


def good_piece_rows(rows: int, row_bytes: int, piece_bytes: int = PIECE_BYTES, *, most_rows: int | None = None) -> int:
    """Rows per piece such that pieces have about `piece_bytes` and the last is hardly shorter than the others.

    Where rows are slow to make, `most_rows` limits what an interruption loses.
    """
    pieces = max(1, round(rows * row_bytes / piece_bytes), -(-rows // most_rows) if most_rows else 1)
    return -(-rows // pieces) if rows else 1


@dataclass(frozen=True)
class TapSpec:
    """The features of one image from one tap.

    Args:
        shape: (D,) for global features, (R, D) for regions, (H, W, D) for maps such as `trunk`.
        dtype: float16 or float32.
        grid: (H, W) of the regions, row by row; regions before the grid (class tokens) come first. None means
            `square_grid`; a header contains it only if it differs from that.
    """

    shape: tuple[int, ...]
    dtype: str = "float16"
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.grid is None:
            object.__setattr__(self, "grid", _usual_grid(self.shape))

    def header(self) -> dict[str, Any]:
        """As JSON; `from_header` is the inverse."""
        stated = {} if self.grid is None or self.grid == _usual_grid(self.shape) else {"grid": list(self.grid)}
        return {"shape": list(self.shape), "dtype": self.dtype, **stated}

    @classmethod
    def from_header(cls, values: Mapping[str, Any]) -> "TapSpec":
        """Raises `InputError` if a value has the wrong type."""
        if wrong := missing_or_mismatched(values, TAP_HEADER, {"grid": list[int] | None}):
            raise InputError(f"a tap is not described as one ({wrong}).")
        grid = values.get("grid")
        if grid is not None and len(grid) != 2:
            raise InputError(f"a grid must have two sides, not {len(grid)}.")
        return cls(tuple(values["shape"]), values["dtype"], None if grid is None else (grid[0], grid[1]))


def _usual_grid(shape: tuple[int, ...]) -> tuple[int, int] | None:
    if len(shape) == 3:
        return shape[0], shape[1]
    return square_grid(shape[0]) if len(shape) == 2 else None


def fits(grid: tuple[int, int], regions: int) -> bool:
    """Whether this many regions can be a grid (H, W), possibly after class tokens."""
    return min(grid) > 0 and math.prod(grid) <= regions


def square_grid(regions: int) -> tuple[int, int] | None:
    """The grid of regions if nothing else is known: square, possibly after one class token; None if neither fits."""
    for extra in (0, 1):
        side = math.isqrt(max(0, regions - extra))
        if side and side * side == regions - extra:
            return side, side
    return None


@dataclass(frozen=True)
class Layout:
    """Everything about a store except the contents of its pieces.

    Args:
        dataset: name of the benchmark.
        images: hash of the list of image ids.
        rows: N, the number of images.
        piece_rows: rows per piece; the last may have fewer.
        taps: tap name to shape and dtype.
        compression: None (chunks can be memory-mapped) or "zstd".
        provenance: {"fingerprinted": ..., "recorded": ...}.
    """

    dataset: str
    images: str
    rows: int
    piece_rows: int
    taps: dict[str, TapSpec]
    compression: str | None
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        check_provenance(self.provenance)
        if self.piece_rows < 1:
            raise InputError(f"piece_rows must be at least 1, not {self.piece_rows}.")
        if self.compression not in COMPRESSIONS:
            raise InputError(f"compression must be None or 'zstd', not '{self.compression}'.")
        if not self.taps:
            raise InputError("a store needs at least one tap.")
        for tap, spec in self.taps.items():
            if spec.dtype not in DTYPES:
                raise InputError(f"dtype of tap '{tap}' must be float16 or float32, not {spec.dtype}.")
            if spec.grid is not None and not fits(spec.grid, math.prod(spec.shape[:-1])):
                raise InputError(f"tap '{tap}' of shape {spec.shape} does not contain a grid of {spec.grid} regions.")
            if not tap.isidentifier():
                raise InputError(f"'{tap}' is not a valid tap name: use letters, digits and underscores.")

    @property
    def pieces(self) -> int:
        return -(-self.rows // self.piece_rows)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.provenance)

    def piece_range(self, piece: int) -> range:
        if not 0 <= piece < self.pieces:
            raise IndexError(f"piece {piece} is out of range for {self.pieces} pieces")
        return range(piece * self.piece_rows, min((piece + 1) * self.piece_rows, self.rows))

    def shape(self, tap: str) -> tuple[int, ...]:
        return (self.rows, *self.taps[tap].shape)

    def chunk_shape(self, tap: str) -> tuple[int, ...]:
        return (self.piece_rows, *self.taps[tap].shape)

    def chunk_bytes(self, tap: str) -> int:
        """Bytes of one chunk before compression; in zarr the last chunk is as long as the others."""
        return int(np.prod(self.chunk_shape(tap), dtype=np.int64)) * np.dtype(self.taps[tap].dtype).itemsize

    def chunk_name(self, tap: str, piece: int) -> str:
        """Path of a chunk file within the store."""
        return f"{GROUP}/{tap}/c.{piece}" + ".0" * len(self.taps[tap].shape)

    @staticmethod
    def record_name(piece: int) -> str:
        return f"{PIECES}/{piece:06d}.json"

    def header(self) -> dict[str, Any]:
        taps = {tap: spec.header() for tap, spec in self.taps.items()}
        return seal({**asdict(self), "taps": taps, "format": FORMAT, "fingerprint": self.fingerprint})

    @classmethod
    def from_header(cls, header: Any) -> "Layout":
        """The inverse of `header`, for headers that may come from anyone.

        Raises:
            OtherVersionError: if its format is not the one of this version.
            InputError: if it is not a header.
        """
        if isinstance(header, dict) and header.get("format", FORMAT) != FORMAT:
            raise OtherVersionError(f"it has format {shown(header['format'])}, not {FORMAT}.")
        wrong = missing_or_mismatched(header, HEADER, {})
        if not wrong and (unknown := sorted(set(header) - HEADER.keys() - SEALING)):
            wrong = f"it has an unknown key {shown(unknown[0])}"
        if wrong:
            raise InputError(f"it is not a header ({wrong}).")
        fields = {key: header[key] for key in HEADER}
        found = cls(**{**fields, "taps": {tap: TapSpec.from_header(spec) for tap, spec in header["taps"].items()}})
        if not 1 <= found.rows <= MOST_ROWS or found.piece_rows > found.rows:
            raise InputError(f"it claims {shown(found.rows)} rows in pieces of {shown(found.piece_rows)}.")
        for tap, spec in found.taps.items():
            if min(spec.shape, default=1) < 1 or found.rows * math.prod(spec.shape) > MOST_BYTES:
                raise InputError(f"its tap '{tap}' has the shape {shown(spec.shape)}.")
        return found

    @cached_property
    def metadata_names(self) -> tuple[str, ...]:
        """The files that exist before the first piece, but for the store's own record."""
        return (BENCHMARK, f"{GROUP}/zarr.json", *(f"{GROUP}/{tap}/zarr.json" for tap in self.taps))

    def zarr_files(self) -> dict[str, bytes]:
        """The metadata files of the group and its arrays, as zarr itself writes them."""
        import zarr  # slow to import: listings do without
        from zarr.storage import MemoryStore

        memory = MemoryStore()
        attributes = json.loads(json.dumps(self.header(), sort_keys=True))  # the same bytes when a repair writes them
        group = zarr.create_group(memory, attributes=attributes)
        for tap in self.taps:
            self._array(group, tap)
        return {f"{GROUP}/{name}": content.to_bytes() for name, content in memory._store_dict.items()}

    def _array(self, group: "zarr.Group", tap: str, rows: int | None = None) -> "zarr.Array":
        from zarr.codecs import ZstdCodec

        return group.create_array(
            tap,
            shape=self.shape(tap) if rows is None else (rows, *self.taps[tap].shape),
            chunks=self.chunk_shape(tap),
            dtype=self.taps[tap].dtype,
            compressors=None if self.compression is None else ZstdCodec(checksum=True),
            fill_value=0,
            chunk_key_encoding={"name": "default", "separator": "."},  # one folder per tap, not one per piece
            config={"write_empty_chunks": True},  # also for a piece of zeros
        )

    def encode(self, tap: str, values: np.ndarray) -> tuple[bytes | memoryview, ...]:
        """The parts of the chunk file for `values` (rows of one piece, dtype of the tap)."""
        if self.compression is None:
            padding = self.chunk_bytes(tap) - values.nbytes
            plain = np.ascontiguousarray(values, np.dtype(self.taps[tap].dtype).newbyteorder("<"))
            return plain.reshape(-1).view(np.uint8).data, bytes(padding)
        import zarr
        from zarr.storage import MemoryStore

        memory = MemoryStore()
        one = self._array(zarr.create_group(memory), tap, rows=self.piece_rows)
        one[: len(values)] = values
        return (memory._store_dict[f"{tap}/c.0" + ".0" * len(self.taps[tap].shape)].to_bytes(),)
