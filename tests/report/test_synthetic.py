"""The section on synthetic features."""

import numpy as np

from zslpipe.evaluation.synthetic import Likeness, Picture, Synthetic
from zslpipe.report.synthetic import synthetic_features


def test_every_feature_is_drawn_and_every_side_told() -> None:
    points = np.arange(12.0).reshape(6, 2)
    picture = Picture(("owl", "gull"), (points[:3], points[3:]), (points[:2], points[2:]))
    sides = {"seen": Likeness(0.4, 0.9, 0.75, 0.5), "unseen": Likeness(1.25, 0.6, 0.333, 0.25)}
    page = str(synthetic_features(Synthetic(sides, picture)))
    assert page.count("owl, real") == 3
    assert page.count("gull, synthetic") == 4
    for text in ("1.25", "0.60", "33%", "25%", "75%"):
        assert text in page
    assert page.index("unseen") < page.index(">seen<")


def test_without_unseen_images_there_is_no_picture() -> None:
    page = str(synthetic_features(Synthetic({"seen": Likeness(0.4, 0.9, 0.75, 0.5)}, None)))
    assert "<svg" not in page
    assert "0.40" in page
