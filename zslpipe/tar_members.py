"""Files inside .tar shards, addressed like files in a folder: `images/000012.tar/zebra/0001.jpg`.

A shard is read from beginning to end once, which gives the names, places and checksums of its members together. Later a
member is read by its place. Nothing is ever unpacked to the disk.
"""

import hashlib
import tarfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from zslpipe.errors import InputError
from zslpipe.files import write_arrays

SUFFIX = ".tar"
OPEN_SHARDS = 64  # whose members are kept in memory for reading
SETTLED_NS = 2_000_000_000  # a shard modified this recently may change again without a new time stamp
LARGEST_LABEL = 1024  # bytes of a .cls file


@dataclass(frozen=True)
class Shard:
    """The index of one shard, in the order of its members.

    Attributes:
        names: (M,) names of the regular files.
        places: (M, 2) where each begins, and how many bytes it has.
        hashes: (M, 32) uint8, their SHA-256.
        labels: what the .cls files (webdataset) say, by the name without extension.
    """

    names: tuple[str, ...]
    places: np.ndarray
    hashes: np.ndarray
    labels: Mapping[str, str]


def split_member(path: Path) -> tuple[Path, str] | None:
    """The shard and the name of the member that a path leads to; None for a path that leads into no shard."""
    text = path.as_posix()
    end = text.find(f"{SUFFIX}/")
    while end >= 0:
        shard = Path(text[: end + len(SUFFIX)])
        if shard.is_file():
            return shard, text[end + len(SUFFIX) + 1 :]
        end = text.find(f"{SUFFIX}/", end + 1)
    return None


def file_exists(path: Path) -> bool:
    """Whether there is such a file, in a folder or in a shard."""
    member = split_member(path)
    return path.is_file() if member is None else member[1] in _places(*_state(member[0]))


def read_member(shard: Path, name: str) -> bytes:
    """The content of a member.

    Raises:
        FileNotFoundError: if there is no such member.
    """
    start, size = _places(*_state(shard)).get(name, (-1, 0))
    if start < 0:
        raise FileNotFoundError(f"{shard} has no member {name}")
    with shard.open("rb") as stream:
        stream.seek(start)
        return stream.read(size)


def read_shard(path: Path, cache: Path | None = None) -> Shard:
    """Read a shard from beginning to end; with a folder `cache`, only if it has changed since.

    Raises:
        InputError: if it is not a plain tar file, is cut off, or has a name twice or one that leads out of it.
    """
    state = _state(path)
    kept = cache and cache / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]}.npz"
    shard = _load(kept, state) if kept else None
    if shard is None:
        shard = _index(path)
        if kept and time.time_ns() - state[2] > SETTLED_NS:
            _save(kept, shard, state)
    _known[state] = shard
    return shard


def sample_of(name: str) -> str:
    """What the files of one webdataset sample have in common: the name up to the first dot of its last part."""
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.partition('.')[0]}"


State = tuple[str, int, int]  # path, size and modification time: tells that a shard has not changed
_known: dict[State, Shard] = {}  # indexed by this process


def _state(path: Path) -> State:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def _index(path: Path) -> Shard:
    names: list[str] = []
    places: list[tuple[int, int]] = []
    hashes, labels = bytearray(), {}
    try:
        with tarfile.open(path, "r|") as shard:
            for member in _files(path, shard):
                stream = shard.extractfile(member)
                assert stream is not None
                content = stream.read()
                if len(content) != member.size:
                    raise tarfile.ReadError("unexpected end of data")
                names.append(_checked_name(path, member.name))
                places.append((member.offset_data, member.size))
                hashes += hashlib.sha256(content).digest()
                if names[-1].endswith(".cls") and member.size <= LARGEST_LABEL:
                    labels[sample_of(names[-1])] = content.decode("utf-8", "replace").strip()
    except (tarfile.TarError, EOFError, ValueError, OSError) as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"{path} is not a whole .tar file ({problem}): copy it again, without compression.") from None
    if len(set(names)) < len(names):
        (twice, _), *_ = Counter(names).most_common(1)
        raise InputError(f"{path} has two members {twice}: give each image a name of its own.")
    table = np.frombuffer(bytes(hashes), np.uint8).reshape(-1, 32)
    return Shard(tuple(names), np.array(places, np.int64).reshape(-1, 2), table, labels)


def _files(path: Path, shard: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The regular files of a shard, without keeping them in memory."""
    for member in shard:
        shard.members = []  # type: ignore[attr-defined]
        if member.issparse():
            raise InputError(f"{path}: {member.name} is stored sparsely: write the shard with plain files.")
        if member.isreg():
            yield member


def _checked_name(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise InputError(f"{path} has a member '{name}', which leads out of it: write the shard with relative names.")
    return "/".join(part for part in parts if part != ".")


@lru_cache(OPEN_SHARDS)
def _places(path: str, size: int, time: int) -> Mapping[str, tuple[int, int]]:
    """Where the members of a shard are; if this process has not indexed it, by its headers alone."""
    known = _known.get((path, size, time))
    if known is not None:
        return dict(zip(known.names, map(tuple, known.places.tolist())))
    try:
        with tarfile.open(path, "r:") as shard:
            return {_checked_name(Path(path), m.name): (m.offset_data, m.size) for m in _files(Path(path), shard)}
    except (tarfile.TarError, EOFError, ValueError) as problem:
        raise OSError(f"{path} is not a whole .tar file ({problem})") from None


def _save(path: Path, shard: Shard, state: State) -> None:
    keys, values = list(shard.labels), list(shard.labels.values())
    texts = {"names": shard.names, "label_names": keys, "label_values": values}
    arrays = {name: np.array(list(text), np.str_) for name, text in texts.items()}
    write_arrays(path, state=np.array(state[1:], np.int64), places=shard.places, hashes=shard.hashes, **arrays)


def _load(path: Path, state: State) -> Shard | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            if tuple(kept["state"].tolist()) != state[1:]:
                return None
            labels = dict(zip(kept["label_names"].tolist(), kept["label_values"].tolist()))
            return Shard(tuple(kept["names"].tolist()), kept["places"], kept["hashes"], labels)
    except Exception:  # a cache can always be made again
        return None


def member_hash(shard: Path, name: str) -> str:
    """The SHA-256 of a member, from the index if this process has read the shard.

    Raises:
        FileNotFoundError: if there is no such member.
    """
    known = _known.get(_state(shard))
    if known is None:
        return hashlib.sha256(read_member(shard, name)).hexdigest()
    row = _rows(_state(shard)).get(name)
    if row is None:
        raise FileNotFoundError(f"{shard} has no member {name}")
    return known.hashes[row].tobytes().hex()


@lru_cache(OPEN_SHARDS)
def _rows(state: State) -> Mapping[str, int]:
    return {name: row for row, name in enumerate(_known[state].names)}
