"""The confidence of runs as a text table."""

from zslpipe.evaluation.confidence import Reliability
from zslpipe.evaluation.confidence_table import confidence_text


def test_one_line_per_run_and_a_dash_for_what_was_not_measured() -> None:
    runs = {"a": Reliability(0.5, 0.04, 0.52, 0.61, 0.96, 0.05), "longer": Reliability(12, 0.1, 0.2, None, 0.9, None)}
    head, one, other, *note = confidence_text(runs).splitlines()
    assert one.split() == ["a", "0.5", "52.0", "4.0", "61.0", "96.0", "5.0"]
    assert other.split() == ["longer", "12", "20.0", "10.0", "-", "90.0", "-"]
    assert len(head) == len(one) == len(other)
    assert "hidden" in " ".join(note)


def test_seeds_are_averaged() -> None:
    mean = Reliability.mean([Reliability(1, 0.1, 0.2, 0.5, 0.9, None), Reliability(3, 0.3, 0.4, 0.7, 0.7, 0.1)])
    assert (mean.temperature, mean.ece, mean.auroc, mean.rejected) == (2, 0.2, 0.6, None)
