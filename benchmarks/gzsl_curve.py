"""The exact seen-unseen curve against grids of argmaxes, at SUN's size.

    python benchmarks/gzsl_curve.py [--points 1000] [--repeat 5]

Every way gets the same scores (2580 seen and 1440 unseen test images, 717 classes) and gives the best H and AUSUC:

- argmax grid: for each δ, calibrate all scores, take the argmax, average over classes (what public code does);
- in-place grid: the same, with one buffer and only the seen columns touched;
- margin grid: reduce the scores to margins once, then compare with each δ;
- exact: `Curve.of`, every δ there is.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import RESULTS, result_file, write_table

from zslpipe.evaluation.curve import Curve
from zslpipe.evaluation.metrics import harmonic_mean
from zslpipe.evaluation.stacking import rivals

SEEN_IMAGES, UNSEEN_IMAGES, SEEN_CLASSES, UNSEEN_CLASSES = 2580, 1440, 645, 72
Answer = tuple[float, float]  # best H, AUSUC


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosine-like scores (N, C) float32 in which seen classes are favoured, labels and seen mask."""
    rng = np.random.default_rng(0)
    labels = np.concatenate(
        [
            np.arange(SEEN_IMAGES) % SEEN_CLASSES,
            SEEN_CLASSES + np.arange(UNSEEN_IMAGES) % UNSEEN_CLASSES,
        ]
    )
    seen = np.arange(SEEN_CLASSES + UNSEEN_CLASSES) < SEEN_CLASSES
    scores = rng.normal(size=(len(labels), len(seen))).astype(np.float32)
    scores[np.arange(len(labels)), labels] += 2.5
    scores[:, seen] += 0.5
    return scores, labels, seen


def answer(correct: np.ndarray, labels: np.ndarray, seen: np.ndarray) -> Answer:
    """Best H and AUSUC from which images (points, N) are right at each δ."""
    weight = 1 / np.bincount(labels)[labels]
    of_seen = seen[labels]
    s = correct[:, of_seen] @ weight[of_seen] / seen.sum()
    u = correct[:, ~of_seen] @ weight[~of_seen] / (~seen).sum()
    return float(harmonic_mean(u, s).max()), float(np.sum(np.diff(u) * (s[1:] + s[:-1]) / 2))


def argmax_grid(scores: np.ndarray, labels: np.ndarray, seen: np.ndarray, deltas: np.ndarray) -> Answer:
    penalty = seen.astype(np.float32)
    right = [(scores - np.float32(d) * penalty).argmax(1) == labels for d in deltas]
    return answer(np.array(right), labels, seen)


def in_place_grid(scores: np.ndarray, labels: np.ndarray, seen: np.ndarray, deltas: np.ndarray) -> Answer:
    buffer, columns, right = scores.copy(), slice(0, int(seen.sum())), []
    for d in deltas:
        np.subtract(scores[:, columns], np.float32(d), out=buffer[:, columns])
        right.append(buffer.argmax(1) == labels)
    return answer(np.array(right), labels, seen)


def margin_grid(scores: np.ndarray, labels: np.ndarray, seen: np.ndarray, deltas: np.ndarray) -> Answer:
    both = rivals(scores, seen)
    return answer(np.array([both.predict(d) == labels for d in deltas]), labels, seen)


def exact(scores: np.ndarray, labels: np.ndarray, seen: np.ndarray, deltas: np.ndarray) -> Answer:
    curve = Curve.of(scores, labels, seen)
    return curve.best().H, curve.ausuc()


def timed(way: Callable[..., Answer], *args: np.ndarray, repeat: int) -> tuple[float, Answer]:
    """Median seconds of `repeat` calls and the answer."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = way(*args)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1000, help="points of each grid")
    parser.add_argument("--repeat", type=int, default=3, help="calls of each grid; the exact curve gets 20 times more")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    scores, labels, seen = problem()
    both = rivals(scores, seen)
    deltas = np.linspace(both.margin.min() - 0.01, both.margin.max() + 0.01, args.points)

    ways = {"argmax grid": argmax_grid, "in-place grid": in_place_grid, "margin grid": margin_grid, "exact": exact}
    rows = []
    for name, way in ways.items():
        repeat = args.repeat * (20 if way is exact else 1)
        seconds, (h, area) = timed(way, scores, labels, seen, deltas, repeat=repeat)
        points = "all" if way is exact else args.points
        rows.append({"way": name, "points": points, "ms": 1000 * seconds, "best_H": h, "AUSUC": area})
    for row in rows:
        row["times_exact"] = row["ms"] / rows[-1]["ms"]
        print(
            f"{row['way']:14} {row['points']:>5} points {row['ms']:10.2f} ms {row['times_exact']:8.1f} x exact"
            f"   best H {row['best_H']:.6f}   AUSUC {row['AUSUC']:.6f}"
        )

    rounded = [{k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    write_table(result_file("gzsl_curve", folder=args.out), rounded)


if __name__ == "__main__":
    main()
