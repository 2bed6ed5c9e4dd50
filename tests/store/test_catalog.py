"""Listings of a cache, of intact and damaged stores."""

import os
import subprocess
import sys

import pytest

from zslpipe.errors import InputError
from zslpipe.store.catalog import newest_store, store_path, stores
from zslpipe.store.failure import Failure


def test_stores_are_listed_newest_first(tmp_path, make, fill):
    old = make(store_path(tmp_path, "tiny", "fake", "a" * 64))
    new = make(store_path(tmp_path, "tiny", "fake", "b" * 64))
    fill(old, [0, 3], {1: Failure("x", "y", "z")})
    for store, when in ((old, 1000), (new, 2000)):
        for name in ("store.json", "pieces", "."):
            os.utime(store.path / name, (when, when))
    first, second = stores(tmp_path)
    assert (first.path, second.path) == (new.path, old.path)
    assert (first.written, first.rows, first.bytes) == (0, 120, 0)
    assert (second.written, second.rows) == (56, 120)
    assert second.bytes == 2 * 32 * (16 * 4 + 32 * 2)
    assert (second.dataset, second.backbone, second.fingerprint) == ("tiny", "fake", old.fingerprint)
    assert dict(second.taps) == old.taps
    assert newest_store(tmp_path).path == new.path
    fill(old)  # writing makes it the newest
    assert newest_store(tmp_path, "tiny", "fake").path == old.path


def test_a_damaged_store_is_listed_with_its_problem(tmp_path, make):
    whole = make(store_path(tmp_path, "tiny", "whole", "0" * 64))
    for name, harm in (("damaged", lambda f: f.write_bytes(b"{}")), ("lost", lambda f: f.unlink())):
        harm(make(store_path(tmp_path, "tiny", name, "1" * 64)).path / "store.json")
    (tmp_path / "stores" / "notes").mkdir()
    whole.path.with_name(".whole.removed").mkdir()
    (whole.path.with_name(".whole.removed") / "store.json").write_text("half deleted")
    problems = {s.path.name: s.problem for s in stores(tmp_path)}
    assert problems.pop(whole.path.name) is None
    assert sorted(problems) == ["notes", "tiny-damaged-111111111111", "tiny-lost-111111111111"]
    assert all(problems.values())
    assert newest_store(tmp_path).path == whole.path


def test_an_empty_cache_says_what_to_do(tmp_path):
    assert stores(tmp_path) == []
    with pytest.raises(InputError, match="no feature store of cub by vit: run zslpipe extract"):
        newest_store(tmp_path, "cub", "vit")


def test_settings_never_share_a_folder(tmp_path):
    assert store_path(tmp_path, "../my data", "hf-hub:a/b", "f" * 64).parent == tmp_path / "stores"
    assert store_path(tmp_path, "d", "b", "0" * 64) != store_path(tmp_path, "d", "b", "1" * 64)


def test_a_listing_reads_no_piece_and_imports_no_torch(tmp_path, make, fill):
    store = fill(make(store_path(tmp_path, "tiny", "fake", "a" * 64)))
    for record in (store.path / "pieces").iterdir():
        record.write_text("unreadable")
    assert stores(tmp_path)[0].written == 120
    code = "import sys, zslpipe.workflows.listing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
