"""Several processes carry out one plan: every piece is written once, with the bytes of one process."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from zslpipe.cli import main
from zslpipe.errors import LockedError
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.verify import verify

LINE = ["extract", "--backbone", "resnet18", "--weights", "random", "--image-size", "32", "--batch-size", "2"]
LINE += ["--taps", "global", "--device", "cpu"]
IMAGES = 60


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six classes of ten images: 15 pieces."""
    folder = tmp_path / "photos"
    for number in range(IMAGES):
        out = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(out, "PNG")
        path = folder / f"class{number // 10}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(out.getvalue())
    lines = [f"class{c},{'unseen' if c > 3 else 'seen'},{c % 2},{c // 2}" for c in range(6)]
    (folder / "classes.csv").write_text("\n".join(["class,split,stripes,wings", *lines]))
    return folder


def files(cache: Path) -> dict[str, bytes]:
    (store,) = (cache / "stores").iterdir()
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file()}


def alone(photos: Path, cache: Path) -> dict[str, bytes]:
    done = CliRunner().invoke(main, [*LINE, "--dataset", str(photos), "--cache", str(cache)])
    assert done.exit_code == 0, done.output
    return files(cache)


def rank_of(number: int, world: int, photos: Path, cache: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "RANK": str(number), "WORLD_SIZE": str(world)}
    line = [sys.executable, "-m", "zslpipe", *LINE, "--dataset", str(photos), "--cache", str(cache)]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)


def test_pieces_are_claimed_one_by_one(photos: Path, tmp_path: Path) -> None:
    alone(photos, tmp_path / "cache")
    (path,) = (tmp_path / "cache" / "stores").iterdir()
    one, other = FeatureStore.open(path), FeatureStore.open(path)
    one.forget([2, 3, 5])
    other.refresh()
    with one.claim_free([2, 3, 5]) as mine, other.claim_free([5, 2, 3]) as theirs:
        assert next(mine) == 2
        assert next(theirs) == 5
        assert next(mine) == 3
        assert list(theirs) == []  # the others are claimed
        with pytest.raises(LockedError), other.claim([3]):
            pass
    with other.claim([2, 3, 5]) as missing:
        assert missing == [2, 3, 5]


def test_a_piece_written_meanwhile_is_left_out(photos: Path, tmp_path: Path) -> None:
    alone(photos, tmp_path / "cache")
    (path,) = (tmp_path / "cache" / "stores").iterdir()
    one, other = FeatureStore.open(path), FeatureStore.open(path)
    values = {"global": one.rows("global")[8:12]}
    one.forget([2])
    other.refresh()
    assert other.missing_pieces() == [2]
    one.write_piece(2, values)
    with other.claim_free([2]) as free:
        assert list(free) == []


@pytest.mark.slow
def test_ranks_of_torchrun_share_the_pieces(photos: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3", "-m", "zslpipe"]
    line = [*torchrun, *LINE, "--dataset", str(photos), "--cache", str(tmp_path / "shared")]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    computed = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("rows ")]
    assert len(computed) == 3
    assert sum(computed) == IMAGES  # no row twice, none padded
    assert files(tmp_path / "shared") == alone(photos, tmp_path / "alone")


@pytest.mark.slow
def test_pieces_of_a_killed_rank_are_taken_over(photos: Path, tmp_path: Path) -> None:
    cache = tmp_path / "shared"
    ranks = [rank_of(number, 2, photos, cache) for number in range(2)]
    deadline = time.monotonic() + 120
    while not list(cache.glob("stores/*/pieces/*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    ranks[1].send_signal(signal.SIGKILL)
    assert ranks[0].wait(120) == 0
    (path,) = (cache / "stores").iterdir()
    assert FeatureStore.open(path).complete
    assert not verify(path)
    assert files(cache) == alone(photos, tmp_path / "alone")
