"""What a report says first is what the saved scores say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.evaluation.protocol import TestScores
from zslpipe.evaluation.scores import KeptScores
from zslpipe.report.content import Count
from zslpipe.workflows.report_photos import counts, photos

SEEN = np.array([True, True, False, False])
NAMES = ("horse", "tiger", "zebra", "okapi")
LABELS = np.array([0, 0, 1, 2, 2, 3])
SCORES = np.array(
    [
        [5.0, 1.0, 0.0, 0.0],  # a horse: right
        [3.0, 1.0, 2.5, 0.0],  # a horse: right at δ = 0, a zebra at δ = 1
        [4.0, 3.0, 0.0, 0.0],  # a tiger named a horse
        [0.0, 0.0, 3.0, 1.0],  # a zebra: right by 2
        [0.0, 0.0, 9.0, 1.0],  # a zebra: right by 8
        [0.0, 9.0, 0.0, 1.0],  # an okapi named a tiger: wrong by 7 at δ = 1
    ]
)


def test_counts_are_of_the_calibrated_predictions_among_all_classes() -> None:
    tests = TestScores(np.arange(6), LABELS, SEEN, SCORES)
    assert counts([tests], [None]) == {"unseen": Count(3, 2), "seen": Count(3, 2)}
    assert counts([tests], [1.0]) == {"unseen": Count(3, 2), "seen": Count(3, 1)}
    assert counts([tests, tests], [None, 1.0])["seen"] == Count(3, 1.5)  # the mean over seeds
    only_seen = TestScores(np.arange(3), LABELS[:3], SEEN, SCORES[:3])
    assert counts([only_seen], [1.0]) == {"seen": Count(3, 1)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for n in range(6):
        Image.new("RGB", (40, 30), (40 * n, 0, 0)).save(tmp_path / f"{n}.png")
    return tmp_path


@pytest.fixture
def kept() -> KeptScores:
    return KeptScores(tuple(f"{n}.png" for n in range(6)), NAMES, LABELS, SEEN, SCORES, 1.0)


def test_the_surest_photo_of_each_class_rightly_and_wrongly(kept: KeptScores, root: Path) -> None:
    found = photos(kept, 1.0, root)
    assert found is not None
    assert [(p.truth, p.predicted, p.seen) for p in found.right] == [
        ("zebra", "zebra", False),  # unseen classes first
        ("horse", "horse", True),
    ]
    assert [(p.truth, p.predicted) for p in found.wrong] == [("okapi", "tiger"), ("tiger", "horse"), ("horse", "zebra")]
    assert all(p.image.startswith("data:image/jpeg;base64,") for p in (*found.right, *found.wrong))
    (root / "4.png").unlink()  # the surest zebra
    other = photos(kept, 1.0, root)
    assert other is not None
    assert other.right[0].truth == "zebra"
    assert other.right[0].image != found.right[0].image
    assert len(photos(kept, 1.0, root, shown=1).wrong) == 1  # type: ignore[union-attr]


def test_without_image_files_there_are_no_photos(kept: KeptScores, tmp_path: Path) -> None:
    assert photos(kept, 1.0, None) is None
    assert photos(kept, 1.0, tmp_path / "gone") is None
    (tmp_path / "0.png").write_text("no image")
    assert photos(kept, 1.0, tmp_path) is None


def test_an_image_listed_once_per_object_is_found(kept: KeptScores, root: Path) -> None:
    again = replace(kept, image_ids=(*kept.image_ids[:4], "3.png#2", "5.png"))
    assert photos(again, 1.0, root).right[0].truth == "zebra"  # type: ignore[union-attr]
