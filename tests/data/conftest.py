"""Small datasets written to disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

CLASSES, EACH, ATTRIBUTES = 6, 5, 4  # classes 0 to 3 are seen


def cell(strings: list[str]) -> np.ndarray:
    """An array that scipy writes as a MATLAB cell array (N, 1)."""
    array = np.empty((len(strings), 1), object)
    array[:, 0] = strings
    return array


@pytest.fixture
def xlsa(tmp_path: Path) -> Callable[..., Path]:
    """Writes a data root with a tiny CUB in the xlsa17 layout; a keyword replaces a variable, None omits it."""

    def make(**changes: Any) -> Path:
        folder = tmp_path / "xlsa17" / "data" / "CUB"
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"{c + 1:03d}.Bird_{'abcdef'[c]}" for c in range(CLASSES)]
        labels = np.repeat(np.arange(CLASSES), EACH)
        rows = np.arange(CLASSES * EACH).reshape(CLASSES, EACH) + 1
        variables: dict[str, Any] = {
            "att": np.random.default_rng(0).random((ATTRIBUTES, CLASSES)),
            "original_att": np.arange(ATTRIBUTES * CLASSES, dtype=float).reshape(ATTRIBUTES, CLASSES),
            "allclasses_names": cell(names),
            "trainval_loc": rows[:4, :4].reshape(-1, 1).astype(np.uint16),
            "test_seen_loc": rows[:4, 4:].reshape(-1, 1).astype(np.uint16),
            "test_unseen_loc": rows[4:].reshape(-1, 1).astype(np.uint16),
            "train_loc": rows[:3].reshape(-1, 1).astype(np.uint16),  # contains test_seen, as in the real files
            "val_loc": rows[3:4].reshape(-1, 1).astype(np.uint16),
        }
        images: dict[str, Any] = {
            "labels": (labels + 1).astype(np.uint8)[:, None],
            "image_files": cell([f"/BS/somebody/CUB_200_2011/images/{names[c]}/{i}.jpg" for i, c in enumerate(labels)]),
            "features": np.zeros((3, len(labels)), np.float32),
        }
        for part in (variables, images):
            part.update({k: v for k, v in changes.items() if k in part})
        scipy.io.savemat(folder / "att_splits.mat", {k: v for k, v in variables.items() if v is not None})
        scipy.io.savemat(folder / "res101.mat", {k: v for k, v in images.items() if v is not None})
        return tmp_path

    return make


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """A folder of images: classes a to e, e unseen, four images each, with classes.csv."""
    folder = tmp_path / "birds"
    for c in "abcde":
        (folder / c).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (8, 8), (40 * i, 9, 9)).save(folder / c / f"{i}.png")
    rows = ["class,split,red,long", "a,train,0.1,1", "b,train,0.2,1", "c,val,0.3,0", "d,val,0.4,0", "e,unseen,-1,0.5"]
    (folder / "classes.csv").write_text("\n".join(rows) + "\n")
    return folder
