"""The confusion matrix against explicit counting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.evaluation.confusion import confused_classes, confusion, most_confused


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=40))
def test_shares_are_counts_divided_by_images(images: list[tuple[int, int]]) -> None:
    labels, predicted = (np.array([i[k] for i in images], np.int64) for k in (0, 1))
    shares = confusion(predicted, labels, 5)
    for i in range(5):
        of_class = [p for label, p in images if label == i]
        for j in range(5):
            assert shares[i, j] == (of_class.count(j) / len(of_class) if of_class else 0)


def test_largest_confusions_come_first_without_correct_predictions() -> None:
    shares = np.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8], [0.0, 0.0, 1.0]])
    pairs = most_confused(shares, 5)
    assert pairs == [(1, 2, 0.8), (0, 1, 0.5)]
    assert confused_classes(pairs, 15) == [1, 2, 0]
    assert confused_classes(pairs, 2) == [1, 2]
    assert confused_classes(pairs, 1) == []
    assert shares[0, 0] == 0.5  # the argument is not modified
