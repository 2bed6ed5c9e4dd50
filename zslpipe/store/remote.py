"""A store in an object store: the same files under a URL, and a mirror on the disk of what was read or written.

There are no locks and no renames, but an object can be created on the condition that it does not exist. So chunks and
records are only ever created, never replaced: a record describes chunks that nobody changes. Two machines that extract
one piece write it once; if their bytes differ, the second is refused. Only `forget` (repair) deletes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import DamagedError, InputError, ZslpipeError
from zslpipe.files import atomic_write, sha256_json
from zslpipe.store import layout as names
from zslpipe.store.bucket import Bucket, is_url
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.intact import difference_from
from zslpipe.store.layout import Layout, TapSpec
from zslpipe.store.metadata import layout_of, read_store_record, write_metadata, write_store_record
from zslpipe.store.records import Record, read_sealed_record
from zslpipe.store.sealed import Broken, sum_of
from zslpipe.store.writing import commit, complete_mark, withdraw


class RemoteStore(FeatureStore):
    """A store under a URL. `path` is its mirror, which can be deleted at any time."""

    elsewhere = True

    def __init__(self, bucket: Bucket, path: Path, layout: Layout, sums: dict[str, Any]) -> None:
        self.bucket = bucket
        super().__init__(path, layout, sums)

    def __reduce__(self) -> Any:
        """Another process opens the store itself."""
        return RemoteStore.at, (self.url, self.path.parents[1])

    @property
    def url(self) -> str:
        return self.bucket.url

    @property
    def location(self) -> str:
        return self.url

    # --- creating and opening ---

    @classmethod
    def at(cls, url: str, mirrors: Path) -> "RemoteStore":
        """Open the store under a URL, with its mirror in the folder `mirrors`.

        Raises:
            InputError: if there is none.
        """
        bucket, mirror = Bucket(url), mirror_of(url, mirrors)
        try:
            keep(mirror / names.STORE, bucket.get(names.STORE))
        except FileNotFoundError:
            raise InputError(f"{url} is not a feature store (it has no {names.STORE}): extract to it first.") from None
        layout, sums = read_store_record(mirror)
        for name in (*sums, names.LOCK):
            (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        for name, expected in sums.items():
            if difference_from(mirror / name, expected):
                try:
                    keep(mirror / name, bucket.get(name))
                except FileNotFoundError:
                    continue  # whoever needs it says so
        (mirror / names.PIECES).mkdir(exist_ok=True)
        return cls(bucket, mirror, layout, sums)

    @classmethod
    def at_or_create(
        cls,
        url: str,
        mirrors: Path,
        benchmark: Benchmark,
        taps: Mapping[str, TapSpec],
        provenance: dict[str, Any],
        piece_rows: int = 256,
    ) -> "RemoteStore":
        """Open the store under a URL to continue it, or create it.

        Raises:
            InputError: if that store was created with different settings.
        """
        bucket, mirror = Bucket(url), mirror_of(url, mirrors)
        mirror.mkdir(parents=True, exist_ok=True)
        layout = layout_of(benchmark, taps, provenance, piece_rows)
        if names.STORE not in bucket.sizes():
            write_metadata(mirror, layout, benchmark)
            for name in (*layout.zarr_files(), names.BENCHMARK):
                if not bucket.create(name, (mirror / name).read_bytes()):
                    keep(mirror / name, bucket.get(name))  # of another creator, who may have been killed
            sums = {name: sum_of(mirror / name) for name in (*layout.zarr_files(), names.BENCHMARK)}
            bucket.create(names.STORE, _store_record(mirror, layout, sums))
        if bucket.create(names.STORE, bucket.get(names.STORE)):
            raise InputError(
                f"the service of {url} ignores the condition that an object must not exist, so writers could destroy "
                "each other's work: use one with conditional writes (If-None-Match), or extract locally and copy."
            )
        store = cls.at(url, mirrors)
        store.resume(benchmark, taps, provenance)
        return store

    def redescribe(self, benchmark: Benchmark) -> bool:
        changed = super().redescribe(benchmark)
        if changed:
            for name in (names.BENCHMARK, names.STORE):
                self.bucket.replace(name, (self.path / name).read_bytes())
        return changed

    # --- progress ---

    def refresh(self) -> None:
        found = self.bucket.sizes(names.PIECES)
        wanted = {piece: name for piece in range(self.pieces) if (name := self.layout.record_name(piece)) in found}
        new = [name for piece, name in wanted.items() if piece not in self._records]
        for name, content in zip(new, self.bucket.each(self.bucket.get, new)):
            keep(self.path / name, content)
        records = {}
        for piece in wanted:
            record = self._records.get(piece) or self._read(piece)
            if record is not None:
                records[piece] = record
        self._records = records
        try:
            keep(self.path / names.COMPLETE, self.bucket.get(names.COMPLETE))
        except FileNotFoundError:
            (self.path / names.COMPLETE).unlink(missing_ok=True)

    def _read(self, piece: int) -> Record | None:
        """The record of a piece in the mirror, whose chunks need not be there; None if it is missing or damaged."""
        try:
            return read_sealed_record(self.path, self.layout, piece)
        except (FileNotFoundError, Broken):
            return None

    # --- writing ---

    def _commit(self, piece: int, values: Mapping[str, np.ndarray], failures: Mapping[int, Failure]) -> Record:
        record = commit(self.path, self.layout, piece, values, failures)
        for name in record.files:
            content = (self.path / name).read_bytes()
            if not self.bucket.create(name, content) and self.bucket.get(name) != content:
                raise ZslpipeError(
                    f"{self.url}/{name} exists with other contents, from a killed writer or another kind of machine: "
                    f"if nobody is writing there, {self.remedy}, then run again."
                )
        name = self.layout.record_name(piece)
        self.bucket.create(name, (self.path / name).read_bytes())  # else another writer of the same chunks was faster
        return record

    def _withdraw(self, pieces: list[int]) -> None:
        chunks = [self.layout.chunk_name(tap, piece) for piece in pieces for tap in self.taps]
        self.bucket.delete([names.COMPLETE, *(self.layout.record_name(piece) for piece in pieces), *chunks])
        withdraw(self.path, self.layout, pieces)
        for name in chunks:
            (self.path / name).unlink(missing_ok=True)

    def _mark_complete(self) -> None:
        self.bucket.create(names.COMPLETE, complete_mark(self.layout))
        keep(self.path / names.COMPLETE, complete_mark(self.layout))

    # --- reading ---

    @property
    def remedy(self) -> str:
        return f"run zslpipe cache repair {self.url}"

    def fetch(self, tap: str, pieces: Iterable[int]) -> None:
        """Bring chunks into the mirror; those that are there stay."""
        lacking = []
        for piece in pieces:
            name = self.layout.chunk_name(tap, piece)
            file = self.path / name
            if piece in self._records and (
                not file.exists() or file.stat().st_size != self._records[piece].files[name].bytes
            ):
                lacking.append(name)
        for name, content in zip(lacking, self.bucket.each(self._get_chunk, lacking)):
            keep(self.path / name, content)

    def _get_chunk(self, name: str) -> bytes:
        try:
            return self.bucket.get(name)
        except FileNotFoundError:
            raise DamagedError(f"{self.url}/{name} is missing: {self.remedy}.") from None

    def check_piece(self, tap: str, piece: int, content: np.ndarray | None = None) -> None:
        name = self.layout.chunk_name(tap, piece)
        if difference_from(self.path / name, self._records[piece].files[name], content):
            (self.path / name).unlink(missing_ok=True)  # the mirror may be at fault: it is read again the next time
            raise DamagedError(
                f"{self.url}/{name} or its copy on this machine is damaged: run again, and if that does not help, "
                f"{self.remedy}."
            )


def open_store(place: str | Path, mirrors: Path) -> FeatureStore:
    """Open the store in a folder or under a URL."""
    return RemoteStore.at(place, mirrors) if is_url(place) else FeatureStore.open(Path(place))  # type: ignore[arg-type]


def mirror_of(url: str, mirrors: Path) -> Path:
    """The folder of the mirror of a store, which exists if the store was opened before."""
    url = url.rstrip("/")
    return mirrors / sha256_json(url)[:16] / url.rpartition("/")[2]


def keep(path: Path, content: bytes) -> None:
    """Write a file of a mirror; several processes may write the same one at a time."""
    with atomic_write(path) as stream:
        stream.write(content)


def _store_record(mirror: Path, layout: Layout, sums: dict[str, Any]) -> bytes:
    write_store_record(mirror, layout, sums)
    return (mirror / names.STORE).read_bytes()
