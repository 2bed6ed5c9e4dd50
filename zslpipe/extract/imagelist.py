"""The hash of a list of images: of their names and contents, cached by size and modification time."""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from zslpipe.extract.batches import default_workers
from zslpipe.files import sha256_file, write_arrays
from zslpipe.tar_members import member_hash, split_member

MISSING = ""  # the hash of a file that cannot be read
TOGETHER = 256  # images per task, since a task takes more memory than their hashes
SETTLED_NS = 2_000_000_000  # a file modified this recently may change again without a new time stamp

Known = dict[str, tuple[int, int, str]]  # path -> size, modification time in ns, sha256


def hash_images(root: Path, image_ids: Sequence[str], cache_file: Path | None = None) -> tuple[str, list[str]]:
    """(hash of all names and contents in order, SHA-256 of each image or MISSING).

    `cache_file` stores the hash of each file with its size and modification time, and only changed files are read
    again. A damaged or unknown cache file is replaced.
    """
    root = Path(root).resolve()
    known = _load(cache_file) if cache_file is not None else {}
    now = time.time_ns()

    def one(image_id: str) -> tuple[str, tuple[str, tuple[int, int, str]] | None]:
        """The hash of an image, and of a file also what to keep for the next time: a shard has an index of its own."""
        path = root / image_id
        try:
            if (member := split_member(path)) is not None:
                return member_hash(*member), None
            stat = path.stat()
            entry = known.get(str(path))
            if entry is None or entry[:2] != (stat.st_size, stat.st_mtime_ns):
                entry = (stat.st_size, stat.st_mtime_ns, sha256_file(path))
        except OSError:
            return MISSING, None
        return entry[2], (str(path), entry)

    def several(start: int) -> list[tuple[str, tuple[str, tuple[int, int, str]] | None]]:
        return [one(image_id) for image_id in image_ids[start : start + TOGETHER]]

    hashes: list[str] = []
    settled: Known = {}
    with ThreadPoolExecutor(default_workers()) as pool:
        for found in pool.map(several, range(0, len(image_ids), TOGETHER)):
            hashes += [value for value, _ in found]
            settled |= dict(kept for _, kept in found if kept and now - kept[1][1] > SETTLED_NS)
    if cache_file is not None and any(known.get(path) != entry for path, entry in settled.items()):
        _save(cache_file, known | settled)
    digest = hashlib.sha256()
    for image_id, value in zip(image_ids, hashes):
        digest.update(f"{value} {len(image_id)} {image_id}\n".encode())
    return digest.hexdigest(), hashes


def _load(path: Path) -> Known:
    try:
        with np.load(path, allow_pickle=False) as content:
            names, sizes, times = content["paths"], content["sizes"], content["times"]
            hashes = [row.tobytes().hex() for row in content["hashes"]]
        return {n: (s, t, h) for n, s, t, h in zip(names.tolist(), sizes.tolist(), times.tolist(), hashes)}
    except Exception:  # a cache can always be made again
        return {}


def _save(path: Path, known: Known) -> None:
    hashes = np.frombuffer(bytes.fromhex("".join(h for _, _, h in known.values())), dtype=np.uint8).reshape(-1, 32)
    sizes, times = (np.array([entry[i] for entry in known.values()], dtype=np.int64) for i in (0, 1))
    write_arrays(path, paths=np.array(list(known)), sizes=sizes, times=times, hashes=hashes)
