"""Attributes estimated from features: against ridge regression written out, and blind to test images."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.heads import HEADS
from zslpipe.serving.attribute_estimate import RIDGES, AttributeEstimate

Tiny = tuple[Benchmark, np.ndarray]


def literal(b: Benchmark, x: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, float]:
    """Estimates of `new`, and the explained share, by one regression for each class left out."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    train = b.trainval
    means = np.stack([unit[train][b.labels[train] == c].mean(0) for c in b.seen_classes])
    targets = b.semantics[b.seen_classes].astype(np.float64)

    def ridge(rows: np.ndarray, y: np.ndarray, at: np.ndarray, strength: float) -> Any:
        centred = rows - rows.mean(0)
        weights = np.linalg.solve(centred.T @ centred + strength * np.eye(rows.shape[1]), centred.T @ (y - y.mean(0)))
        return (at - rows.mean(0)) @ weights + y.mean(0)

    errors = []
    for strength in RIDGES:
        out = [
            ridge(np.delete(means, c, 0), np.delete(targets, c, 0), means[c], strength) - targets[c]
            for c in range(len(means))
        ]
        errors.append(np.square(out).mean())
    best = RIDGES[int(np.argmin(errors))]
    new = new / np.linalg.norm(new, axis=1, keepdims=True)
    return ridge(means, targets, new, best), 1 - min(errors) / targets.var(0).mean()


def test_it_is_ridge_regression_with_whole_classes_left_out(tiny: Tiny) -> None:
    benchmark, x = tiny
    head = HEADS["gfzsl"]()
    fitted = AttributeEstimate.of(_Plain(head), {"global": x}, benchmark)  # type: ignore[arg-type]
    assert fitted is not None
    expected, explained = literal(benchmark, x.astype(np.float64), x[benchmark.test_unseen].astype(np.float64))
    found = fitted({"global": x[benchmark.test_unseen]})
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert fitted.explained == pytest.approx(explained, abs=1e-3)
    true = benchmark.semantics[benchmark.labels[benchmark.test_unseen]]
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.7


class _Plain:
    """A head without an embedding."""

    def __init__(self, head: Any) -> None:
        self.taps = head.taps


def test_test_images_are_not_read_and_the_embedding_of_a_head_is(tiny: Tiny) -> None:
    benchmark, x = tiny
    train = benchmark.trainval
    head = HEADS["gfzsl"]().fit({"global": x[train]}, benchmark.labels[train], benchmark.semantics)
    blind = np.full_like(x, np.nan)
    blind[train] = x[train]
    one = AttributeEstimate.of(head, {"global": x}, benchmark)
    other = AttributeEstimate.of(head, {"global": blind}, benchmark)
    plain = AttributeEstimate.of(_Plain(head), {"global": x}, benchmark)  # type: ignore[arg-type]
    assert one is not None
    assert other is not None
    assert plain is not None
    new = {"global": x[benchmark.test_seen]}
    np.testing.assert_array_equal(one(new), other(new))
    assert not np.allclose(one(new), plain(new))


def test_two_classes_are_too_few(tiny: Tiny) -> None:
    benchmark, x = tiny
    few = replace(
        benchmark, trainval=benchmark.trainval[benchmark.labels[benchmark.trainval] < 2], test_seen=np.arange(0)
    )
    assert AttributeEstimate.of(HEADS["gfzsl"](), {"global": x}, few) is None
