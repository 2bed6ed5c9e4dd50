"""`zslpipe extract`, killed again and again: the finished store has the bytes of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("ZSLPIPE_PROGRAM_KILLS", "20"))
IMAGES_A_CLASS = 400


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four classes of small images with a class table."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    lines = ["class,split,round,red"]
    for c in range(4):
        (folder / f"class{c}").mkdir(parents=True)
        lines.append(f"class{c},{'unseen' if c == 3 else 'seen'},{c % 2},{c // 2}")
        for i in range(IMAGES_A_CLASS):
            Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(folder / f"class{c}" / f"{i}.png")
    (folder / "classes.csv").write_text("\n".join(lines) + "\n")
    return folder


def extraction(photos: Path, cache: Path) -> "subprocess.Popen[str]":
    line = ["extract", "--dataset", str(photos), "--backbone", "resnet18", "--weights", "random", "--image-size", "64"]
    command = [sys.executable, "-m", "zslpipe", *line, "--batch-size", "16", "--cache", str(cache), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def finished(process: "subprocess.Popen[str]") -> dict[str, object]:
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def test_a_killed_extraction_leaves_the_same_bytes(photos: Path, tmp_path: Path, files) -> None:
    started = time.monotonic()
    alone = finished(extraction(photos, tmp_path / "alone"))
    took, moments = time.monotonic() - started, random.Random(0)
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        cache = tmp_path / f"killed{rounds}"
        while True:
            process = extraction(photos, cache)
            time.sleep(moments.uniform(0.4, 1.0) * took)
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        last = finished(process)
        assert last["computed"] + last["reused"] == 4 * IMAGES_A_CLASS  # type: ignore[operator]
        assert files(Path(str(last["store"]))) == files(Path(str(alone["store"])))
    print(f"{kills} kills, {rounds} stores")
