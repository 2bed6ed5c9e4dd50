"""Hundreds of kills at random moments: the finished store has the bytes of one written without a kill."""

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest

from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.verify import verify

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("ZSLPIPE_KILLS", "200"))
TAPS = {"global": TapSpec((256,), "float32"), "region": TapSpec((49, 64), "float16")}
PROVENANCE = {"fingerprinted": {"backbone": "fake"}, "recorded": {}}
PIECE_ROWS = 2


def values(rows):
    """What the fake backbone gives for these rows, the same at every run; row 17 fails."""
    found = {}
    for tap, spec in TAPS.items():
        per_row = [np.random.default_rng([row, len(tap)]).normal(size=spec.shape).astype(spec.dtype) for row in rows]
        found[tap] = np.stack(per_row)
    return found


def failures(rows):
    from zslpipe.store.failure import Failure

    return {17: Failure("1/7.jpg", "the file ends early", "PIL")} if 17 in rows else {}


def write(path, benchmark, shard, log=None):
    """One life of a writer: claim what is missing of the shard and write it."""
    store = FeatureStore.open_or_create(path, benchmark, TAPS, PROVENANCE, PIECE_ROWS)
    with store.claim(store.missing_pieces(shard)) as missing:
        for piece in missing:
            rows = store.piece_rows_of(piece)
            store.write_piece(piece, values(rows), failures(rows))
            if log is not None:
                os.write(log, f"{piece}\n".encode())


def live(path, benchmark, shard, log):
    pid = os.fork()
    if pid == 0:
        try:
            write(path, benchmark, shard, log)
            os._exit(0)
        finally:
            os._exit(1)
    return pid


@pytest.mark.parametrize("writers", [1, 3])
def test_kills(tmp_path, tiny, files, writers):
    benchmark = tiny[0]
    write(tmp_path / "reference", benchmark, (0, 1))
    expected = files(tmp_path / "reference")
    rng = np.random.default_rng(writers)
    kills = stores = 0
    while kills < KILLS // 2:
        stores += 1
        root = tmp_path / f"killed{stores}"
        log = os.open(tmp_path / f"log{stores}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        finished = False
        while not finished:
            shards = [live(root, benchmark, (i, writers), log) for i in range(writers)]
            time.sleep(float(rng.uniform(0, 0.12)))
            for pid in shards:
                os.kill(pid, signal.SIGKILL)
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in shards]
            assert set(codes) <= {0, -signal.SIGKILL}, codes
            kills += codes.count(-signal.SIGKILL)
            finished = codes.count(0) == len(codes) and (root / "complete.json").exists()
        os.close(log)
        assert files(root) == expected
        assert verify(root) == []
        written = Counter(map(int, (tmp_path / f"log{stores}").read_text().split()))
        assert set(written.values()) == {1}  # what was committed is never done again
        store = FeatureStore.open(root)
        assert store.failures == failures([17])
        for tap, rows in values(range(120)).items():
            rows[17] = 0
            assert np.array_equal(store.rows(tap)[:], rows)
    print(f"{kills} kills, {stores} stores")
