"""Stores in an object store: the same contents, created once, found damaged, repaired; the server may be killed."""

import pickle
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.store.s3_server import Server
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import DamagedError, InputError, ZslpipeError
from zslpipe.store import bucket as buckets
from zslpipe.store.bucket import Bucket
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.remote import RemoteStore
from zslpipe.store.remote_damage import repair_remote, verify_remote

pytest.importorskip("obstore")
pytest.importorskip("moto.server")

TAPS = {"global": TapSpec((16,), "float32")}
PROVENANCE = {"fingerprinted": {"backbone": {"name": "fake"}}, "recorded": {}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.kill()


@pytest.fixture
def place(server: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The URL of an empty folder in a bucket."""
    for key, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    bucket = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[-60:].strip("-")
    server.make_bucket(bucket)
    return f"s3://{bucket}/stores/tiny"


def created(place: str, mirrors: Path, benchmark: Benchmark) -> RemoteStore:
    return RemoteStore.at_or_create(place, mirrors, benchmark, TAPS, PROVENANCE, piece_rows=32)


def fill(store: FeatureStore, features: np.ndarray) -> None:
    for piece in store.missing_pieces():
        rows = store.piece_rows_of(piece)
        store.write_piece(piece, {"global": features[rows.start : rows.stop]})


def test_the_objects_are_the_files_of_a_local_store(
    place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path
) -> None:
    benchmark, features = tiny
    fill(created(place, tmp_path / "m", benchmark), features)
    local = FeatureStore.create(tmp_path / "local", benchmark, TAPS, PROVENANCE, piece_rows=32)
    fill(local, features)
    files = {str(p.relative_to(local.path)): p for p in local.path.rglob("*") if p.is_file() and p.name != ".lock"}
    there = Bucket(place)
    assert set(there.sizes()) == set(files)
    for name, path in files.items():
        assert there.get(name) == path.read_bytes(), name


def test_it_is_read_from_elsewhere_and_kept(place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    benchmark, features = tiny
    fill(created(place, tmp_path / "m", benchmark), features)
    store = RemoteStore.at(place, tmp_path / "other")
    assert store.complete
    assert store.benchmark.image_ids == benchmark.image_ids
    assert not list(store.path.rglob("c.*"))
    rows = store.features()["global"]
    assert np.array_equal(rows[:], features)
    assert len(list(store.path.rglob("c.*.0"))) == store.pieces
    again = pickle.loads(pickle.dumps(store))  # as for another process
    assert isinstance(again, RemoteStore)
    assert np.array_equal(again.rows("global")[[5, 90, 31]], features[[5, 90, 31]])


def test_zarr_reads_it(place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    import zarr
    from zarr.storage import ObjectStore

    benchmark, features = tiny
    fill(created(place, tmp_path / "m", benchmark), features)
    group = zarr.open_group(ObjectStore(Bucket(f"{place}/features.zarr").store, read_only=True), mode="r")
    assert np.array_equal(group["global"][:], features)  # type: ignore[index]


def test_two_writers_of_one_piece_write_it_once(place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    benchmark, features = tiny
    one, other = (created(place, tmp_path / name, benchmark) for name in ("a", "b"))
    one.write_piece(0, {"global": features[:32]})
    other.write_piece(0, {"global": features[:32]})  # the same bytes
    with pytest.raises(ZslpipeError, match=r"c\.0\.0 exists with other contents"):
        other.write_piece(0, {"global": features[:32] + 1})
    assert not verify_remote(one)
    fill(other, features)
    one.refresh()
    assert one.complete
    assert not verify_remote(one)


def test_a_creation_is_continued_by_others(place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    benchmark, features = tiny
    first = created(place, tmp_path / "a", benchmark)
    first.bucket.delete(["store.json", "features.zarr/zarr.json"])  # as a killed creation leaves it
    fill(created(place, tmp_path / "b", benchmark), features)
    assert not verify_remote(RemoteStore.at(place, tmp_path / "c"))
    with pytest.raises(InputError, match="different settings"):
        RemoteStore.at_or_create(place, tmp_path / "d", benchmark, TAPS, {**PROVENANCE, "fingerprinted": {}})


def test_damage_is_found_and_repaired(place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    benchmark, features = tiny
    store = created(place, tmp_path / "a", benchmark)
    fill(store, features)
    chunk = store.layout.chunk_name("global", 2)
    content = bytearray(store.bucket.get(chunk))
    content[5] ^= 1
    store.bucket.replace(chunk, bytes(content))
    store.bucket.delete([store.layout.record_name(1)])
    store.bucket.create("notes.txt", b"?")
    reader = RemoteStore.at(place, tmp_path / "b")
    with pytest.raises(DamagedError, match=r"c\.2\.0|has lost 1 of its 4 pieces"):
        reader.rows("global")[:]
    found = verify_remote(reader)
    assert {(d.piece, d.part) for d in found} == {(2, "global"), (1, "record"), (None, "junk")}
    done = repair_remote(reader, found)
    assert done.pieces == [1, 2]
    assert done.removed == ["notes.txt"]
    mended = RemoteStore.at(place, tmp_path / "c")
    assert mended.missing_pieces() == [1, 2]
    fill(mended, features)
    assert not verify_remote(mended)
    assert np.array_equal(RemoteStore.at(place, tmp_path / "d").rows("global")[:], features)


def test_a_service_without_conditional_writes_is_refused(
    place: str, tiny: tuple[Benchmark, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ignoring(bucket: Bucket, name: str, content: bytes) -> bool:
        bucket.replace(name, content)
        return True

    monkeypatch.setattr(Bucket, "create", ignoring)
    with pytest.raises(InputError, match="conditional writes"):
        created(place, tmp_path / "a", tiny[0])


def test_what_is_not_there_is_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is not a feature store"):
        RemoteStore.at(place, tmp_path)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InputError, match=r"pip install 'zslpipe\[cloud\]'"):
        Bucket(place)


def test_an_unreachable_server_is_told(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(buckets, "PATIENCE_S", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ZslpipeError, match=r"could not be read .*finished pieces are kept"):
        Bucket(place).get("store.json")


def test_the_server_may_be_killed_and_started_again(
    tiny: tuple[Benchmark, np.ndarray], tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark, features = tiny
    own = Server(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", own.url)
    own.make_bucket("durable")
    url = "s3://durable/stores/tiny"
    store = RemoteStore.at_or_create(url, tmp_path / "m", benchmark, TAPS, PROVENANCE, piece_rows=8)
    for piece in (0, 1):
        store.write_piece(piece, {"global": features[8 * piece : 8 * piece + 8]})
    own.kill()

    def restart() -> None:
        time.sleep(2)
        own.start()

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        fill(store, features)  # the third piece waits for the server
        thread.join()
        again = RemoteStore.at(url, tmp_path / "other")
        assert again.complete
        assert not verify_remote(again)
        assert np.array_equal(again.rows("global")[:], features)
    finally:
        thread.join()
        own.kill()
