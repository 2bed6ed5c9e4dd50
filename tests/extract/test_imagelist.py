"""The hash of an image list changes with its images, and only changed files are read again."""

import os
import time

import numpy as np
import pytest

from zslpipe.extract import imagelist
from zslpipe.extract.imagelist import MISSING, hash_images
from zslpipe.files import sha256_file


@pytest.fixture
def images(tmp_path):
    """Four files that were written a minute ago."""
    ids = [f"{i}.jpg" for i in range(4)]
    for i, name in enumerate(ids):
        (tmp_path / name).write_bytes(bytes([i]) * 100)
        age(tmp_path / name, 60)
    return tmp_path, ids, tmp_path / "cache.npz"


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_each_image_has_the_hash_of_its_content(images):
    root, ids, _ = images
    digest, hashes = hash_images(root, ids)
    assert hashes == [sha256_file(root / name) for name in ids]
    assert len(digest) == 64
    assert hash_images(root, ids)[0] == digest


def test_names_order_and_content_all_count(images):
    root, ids, _ = images
    digests = {hash_images(root, ids)[0], hash_images(root, ids[::-1])[0], hash_images(root, ids[:3])[0]}
    (root / "4.jpg").write_bytes((root / "3.jpg").read_bytes())
    digests.add(hash_images(root, [*ids[:3], "4.jpg"])[0])
    (root / ids[0]).write_bytes(b"other")
    digests.add(hash_images(root, ids)[0])
    assert len(digests) == 5


def test_known_images_are_not_read_again(images, monkeypatch):
    root, ids, cache = images
    first = hash_images(root, ids, cache)
    monkeypatch.setattr(imagelist, "sha256_file", lambda path: pytest.fail(f"{path} was read again"))
    assert hash_images(root, ids, cache) == first


def test_a_changed_image_is_noticed(images):
    root, ids, cache = images
    before, _ = hash_images(root, ids, cache)
    (root / ids[2]).write_bytes(b"\7" * 100)  # same size
    age(root / ids[2], 30)
    after, hashes = hash_images(root, ids, cache)
    assert after != before
    assert hashes[2] == sha256_file(root / ids[2])


def test_a_change_within_one_time_stamp_is_noticed(images):
    root, ids, cache = images
    stamp = time.time()
    for content in (b"a" * 50, b"b" * 50):
        (root / ids[0]).write_bytes(content)
        os.utime(root / ids[0], (stamp, stamp))
        assert hash_images(root, ids, cache)[1][0] == sha256_file(root / ids[0])


def test_missing_images_have_no_hash(images):
    root, ids, cache = images
    whole, _ = hash_images(root, ids, cache)
    (root / ids[1]).unlink()
    digest, hashes = hash_images(root, ids, cache)
    assert hashes[1] == MISSING
    assert digest != whole


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\3\4nonsense"])
def test_a_damaged_cache_is_replaced(images, content):
    root, ids, cache = images
    cache.write_bytes(content)
    assert hash_images(root, ids, cache) == hash_images(root, ids)
    with np.load(cache, allow_pickle=False) as kept:
        assert len(kept["paths"]) == 4


def test_the_cache_keeps_other_folders(images, tmp_path):
    root, ids, cache = images
    hash_images(root, ids[:2], cache)
    hash_images(root, ids[2:], cache)
    with np.load(cache, allow_pickle=False) as kept:
        assert len(kept["paths"]) == 4
