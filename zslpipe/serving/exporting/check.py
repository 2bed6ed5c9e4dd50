"""An exported model against the run in Python, on the same pixels."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.new_classes import unit_length
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.parts.scaling import unit_rows
from zslpipe.serving.exporting.formats import Runner
from zslpipe.serving.predictor import ClassList, Predictor

BATCH, ROUNDS = 16, 3
TOLERANCE = {"float32": 2e-3}  # largest difference of scores, in units of their spread
COARSE = 0.1  # ... if the run computes features in half precision, and the exported model in single precision
NEW = 3  # classes that are made up, to show that semantics are an input


@dataclass(frozen=True)
class Check:
    """What the comparison found.

    Attributes:
        images: real ones.
        classes: among which they were named, the made-up ones included.
        score: largest difference of two calibrated scores.
        spread: standard deviation of the scores of an image, for comparison.
        probability: largest difference of two probabilities.
        same: images with the same best class.
        python_rate, rate: images per second from pixels to probabilities, of Python and of the exported model.
    """

    images: int
    classes: int
    score: float
    spread: float
    probability: float
    same: int
    python_rate: float
    rate: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(predictor: Predictor, run: Runner, files: Sequence[Path]) -> Check:
    """Compare on real images, among the classes of the run and among others in another order.

    Raises:
        InputError: if an image cannot be read.
        ZslpipeError: if the results differ by more than rounding.
    """
    pixels = np.stack([_pixels(predictor, file) for file in files])
    other = replace(predictor, classes=other_classes(predictor.classes))
    differences, chances, same, spread = [0.0], [0.0], 0, 0.0
    for one in (predictor, other):
        expected, found = _python(one, pixels), _in_batches(run, pixels, one.classes)
        differences.append(float(np.abs(found[0] - expected[0]).max()))
        chances.append(float(np.abs(found[1] - expected[1]).max()))
        if one is predictor:
            same = int((found[0].argmax(1) == expected[0].argmax(1)).sum())
            spread = float(expected[0].std(1).mean())
    precision = predictor.images.provenance["fingerprinted"].get("precision", "float32")
    allowed = TOLERANCE.get(precision, COARSE) * spread
    if max(differences) > allowed:
        raise ZslpipeError(
            f"the exported model is not the run: scores differ by up to {max(differences):.3g}, and {allowed:.3g} is "
            "the most that rounding explains; nothing was written. Please report this with the name of the head."
        )
    python_rate, rate = _rates(predictor, run, pixels)
    return Check(
        len(files),
        len(other.classes),
        max(differences),
        spread,
        max(chances),
        same,
        round(python_rate, 1),
        round(rate, 1),
    )


def other_classes(classes: ClassList) -> ClassList:
    """Some of the classes backwards, and new ones between two of them."""
    kept = np.arange(len(classes))[::-2]
    pairs = np.random.default_rng(0).integers(len(classes), size=(NEW, 2))
    made = classes.semantics[pairs].mean(1).astype(np.float32)
    if unit_length(classes.semantics):
        made = unit_rows(made)
    return ClassList(
        (*(classes.names[c] for c in kept), *(f"new {i}" for i in range(NEW))),
        np.concatenate([classes.semantics[kept], made]),
        np.append(classes.seen[kept], np.zeros(NEW, bool)),
        np.append(classes.new[kept], np.ones(NEW, bool)),
        classes.attribute_names,
    )


def _pixels(predictor: Predictor, file: Path) -> np.ndarray:
    try:
        return predictor.images.backbone.transform(read_image(file))
    except UnreadableImage as problem:
        raise InputError(f"the image {file} {problem}: give other images with --image.") from None


def _python(predictor: Predictor, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = [predictor.scores(predictor.images.of_pixels(part)) for part in _batches(pixels)]
    scores, sure = np.concatenate(parts), predictor.confidence
    from zslpipe.evaluation.confidence import probabilities

    return scores, probabilities(scores, 1.0) if sure is None else sure.probabilities(scores)


def _in_batches(run: Runner, pixels: np.ndarray, classes: ClassList) -> tuple[np.ndarray, np.ndarray]:
    done = [run(part, classes.semantics, classes.seen) for part in _batches(pixels)]
    return np.concatenate([scores for scores, _ in done]), np.concatenate([chances for _, chances in done])


def _batches(pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels[i : i + BATCH] for i in range(0, len(pixels), BATCH)]


def _rates(predictor: Predictor, run: Runner, pixels: np.ndarray) -> tuple[float, float]:
    """Images per second of both, in turns; the comparison before has warmed them up."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        start = time.perf_counter()
        _python(predictor, pixels)
        middle = time.perf_counter()
        _in_batches(run, pixels, predictor.classes)
        seconds[0].append(middle - start)
        seconds[1].append(time.perf_counter() - middle)
    python, exported = (len(pixels) / statistics.median(each) for each in seconds)
    return python, exported
