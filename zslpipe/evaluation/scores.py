"""Scores kept as files, so that anyone can recompute a table without this package.

A folder of three files:

- scores.csv: a row per test image: `image`, `class`, `predicted` (among all classes, calibrated), `predicted_zsl`
  (among the unseen classes), then a column `score:NAME` for each class, with all digits of the score;
- classes.csv: a row per class, in the order of those columns: `class`, `kind` (seen or unseen), `subtract` (what
  calibration subtracts from its scores: δ for a seen class, 0 for an unseen one);
- scores.npz: the same as arrays: scores, labels, seen, delta (NaN for none), image_ids, class_names.

A head that scores the unseen classes separately if only they can be predicted adds a column `zsl:NAME` for
each unseen class, and the array zsl (N, U). A prediction is the class with the largest score less `subtract`; if a seen
and an unseen class tie, the unseen one.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zslpipe.arrays import read_npz
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import TestScores
from zslpipe.evaluation.stacking import rivals
from zslpipe.files import atomic_text, write_arrays, write_text


@dataclass(frozen=True, eq=False)
class KeptScores:
    """The result of `read_scores`.

    Attributes:
        image_ids: (N,) names of the test images.
        class_names: (C,)
        labels: (N,) class indices.
        seen: (C,) bool.
        scores: (N, C), not calibrated.
        delta: the calibration that the predictions were made with, None for none.
        zsl: (N, U) scores among only the unseen classes; None if those are columns of `scores`.
    """

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...]
    labels: np.ndarray
    seen: np.ndarray
    scores: np.ndarray
    delta: float | None
    zsl: np.ndarray | None = None


def write_scores(folder: Path, tests: TestScores, benchmark: Benchmark, delta: float | None = None) -> None:
    """Write the scores of all test images to `folder`, each file atomically; scores.npz comes last."""
    both = rivals(tests.scores, tests.seen)
    names = benchmark.class_names
    ids = [benchmark.image_ids[i] for i in tests.index]
    digits = "%.17g" if tests.scores.dtype == np.float64 else "%.9g"  # enough to restore the exact number
    unseen = [] if tests.zsl is None else [n for n, s in zip(names, tests.seen) if not s]
    values = tests.scores if tests.zsl is None else np.hstack([tests.scores, tests.zsl])
    header = ["image", "class", "predicted", "predicted_zsl"]
    header += [*(f"score:{n}" for n in names), *(f"zsl:{n}" for n in unseen)]
    columns = zip(ids, tests.labels, both.predict(delta or 0.0), tests.zsl_predicted, values)
    with atomic_text(folder / "scores.csv") as rows:  # line by line: with many classes it is larger than memory
        writer = csv.writer(rows)
        writer.writerow(header)
        for image, label, predicted, zsl, scores in columns:
            among_unseen = names[zsl] if zsl >= 0 else ""
            writer.writerow(
                [image, names[label], names[predicted], among_unseen, *map(digits.__mod__, scores.tolist())]
            )
    classes = io.StringIO(newline="")
    writer = csv.writer(classes)
    writer.writerow(["class", "kind", "subtract"])
    writer.writerows(
        (n, "seen" if s else "unseen", repr(float(delta or 0) if s else 0.0)) for n, s in zip(names, tests.seen)
    )
    write_text(folder / "classes.csv", classes.getvalue())
    write_arrays(
        folder / "scores.npz",
        scores=tests.scores,
        labels=tests.labels,
        seen=tests.seen,
        delta=np.array(np.nan if delta is None else delta),
        image_ids=np.array(ids, np.str_),
        class_names=np.array(names, np.str_),
        **({} if tests.zsl is None else {"zsl": tests.zsl}),
    )


def read_scores(folder: Path) -> KeptScores:
    """Read what `write_scores` wrote.

    Raises:
        InputError: if the folder does not contain complete scores.
    """
    try:
        arrays = read_npz(folder / "scores.npz")
        wrong = _wrong_shape(arrays)
        if wrong:
            raise ValueError(wrong)
        delta = float(arrays["delta"])
        return KeptScores(
            image_ids=tuple(arrays["image_ids"].tolist()),
            class_names=tuple(arrays["class_names"].tolist()),
            labels=arrays["labels"],
            seen=arrays["seen"],
            scores=arrays["scores"],
            delta=None if np.isnan(delta) else delta,
            zsl=arrays.get("zsl"),
        )
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(f"{folder} does not contain complete scores ({problem}): evaluate the run again.") from problem


def _wrong_shape(arrays: dict[str, np.ndarray]) -> str | None:
    """What contradicts the numbers of images and classes, as a phrase; None if nothing does."""
    images, classes = len(arrays["image_ids"]), len(arrays["class_names"])
    labels, seen = arrays["labels"], arrays["seen"]
    expected = {"scores": ("f", (images, classes)), "labels": ("i", (images,)), "seen": ("b", (classes,))}
    if "zsl" in arrays:
        expected["zsl"] = ("f", (images, int((~seen.astype(bool)).sum())))
    for name, (kind, shape) in expected.items():
        if arrays[name].dtype.kind != kind or arrays[name].shape != shape:
            return f"{name} is {arrays[name].dtype} {arrays[name].shape}, not {shape}"
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        return f"labels range from {labels.min()} to {labels.max()}, but there are {classes} classes"
    return None if np.isfinite(arrays["scores"]).all() else "scores are not finite"
