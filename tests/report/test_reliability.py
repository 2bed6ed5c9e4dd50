"""The reliability diagram is drawn and explained."""

import numpy as np

from zslpipe.evaluation.confidence import Reliability, ReliabilityBins
from zslpipe.report.content import Trust
from zslpipe.report.reliability import reliability


def bins(*accuracy: float) -> ReliabilityBins:
    values = np.array(accuracy)
    return ReliabilityBins(np.linspace(0.1, 0.9, len(values)), values, np.full(len(values), 1 / len(values)))


def test_the_numbers_are_said_in_words() -> None:
    text = reliability(Trust(Reliability(0.5, 0.04, 0.52, 0.61, 0.96, 0.05), bins(0.5), bins(0.1, 0.5, 0.8)))
    for words in ("52.0\u00a0% without it and 4.0\u00a0% with it", "an AUROC of 61.0", "rejects 5.0"):
        assert words in text
    assert text.count("<circle") == 1 + 3 + 2  # the bins and the legend


def test_without_unseen_images_nothing_is_said_of_none_of_these() -> None:
    text = reliability(Trust(Reliability(0.5, 0.04, 0.52, None, 0.96, None), bins(0.5), bins(0.5)))
    assert "None of these" not in text
    assert "AUROC" not in text
