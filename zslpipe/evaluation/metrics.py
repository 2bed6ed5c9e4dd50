"""Class-averaged top-1 accuracies of the Proposed Split protocol (Xian et al., 2018): T1, U, S and H."""

from dataclasses import dataclass

import numpy as np

from zslpipe.evaluation.stacking import Rivals, ScoresError, check_scores, rivals


@dataclass(frozen=True, eq=False)
class PerClass:
    """Numbers of test images and of correct predictions per class.

    Attributes:
        classes: (K,) class indices.
        count, correct: (K,) numbers of images.
    """

    classes: np.ndarray
    count: np.ndarray
    correct: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(K,) accuracy of each class, NaN for a class without images."""
        return np.divide(self.correct, self.count, out=np.full(len(self.count), np.nan), where=self.count > 0)

    @property
    def without_images(self) -> np.ndarray:
        """The classes without test images."""
        return self.classes[self.count == 0]

    @property
    def mean(self) -> float:
        """Mean accuracy over the classes *with images*; NaN if there are none."""
        tested = self.count > 0
        return float(self.accuracy[tested].mean()) if tested.any() else float("nan")


def per_class(predicted: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> PerClass:
    """Count images and correct predictions of `classes` (K,); `predicted` and `labels` (N,) are class indices.

    Images of other classes are ignored.
    """
    predicted, labels, classes = np.asarray(predicted), np.asarray(labels), np.asarray(classes)
    size = int(max(labels.max(initial=-1), classes.max(initial=-1))) + 1
    valid = labels >= 0
    count = np.bincount(labels[valid], minlength=size)
    correct = np.bincount(labels[valid & (predicted == labels)], minlength=size)
    return PerClass(classes, count[classes], correct[classes])


def harmonic_mean(unseen: np.ndarray | float, seen: np.ndarray | float) -> np.ndarray:
    """H = 2 U S / (U + S), elementwise; 0 if U + S = 0, NaN if either is NaN."""
    unseen, seen = np.asarray(unseen, np.float64), np.asarray(seen, np.float64)
    total = unseen + seen
    return np.divide(2 * unseen * seen, total, out=np.where(np.isnan(total), np.nan, 0.0), where=total > 0)


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Class-averaged accuracies at one calibration `delta`.

    Attributes:
        delta: subtracted from the scores of seen classes.
        zsl: unseen images among the unseen classes; its mean is T1.
        unseen, seen: unseen and seen images among all classes; their means are U and S.
    """

    delta: float
    zsl: PerClass
    unseen: PerClass
    seen: PerClass

    @property
    def T1(self) -> float:
        return self.zsl.mean

    @property
    def U(self) -> float:
        return self.unseen.mean

    @property
    def S(self) -> float:
        return self.seen.mean

    @property
    def H(self) -> float:
        return float(harmonic_mean(self.U, self.S))


def accuracies(
    scores: np.ndarray | Rivals,
    labels: np.ndarray,
    seen: np.ndarray,
    delta: float = 0.0,
    zsl: np.ndarray | None = None,
) -> Accuracies:
    """Compute T1, U, S and H of test images.

    Args:
        scores: (N, C) scores of a head, or the `Rivals` computed from them.
        labels: (N,) column of the class of each image.
        seen: (C,) bool, which classes are seen.
        delta: calibration, in units of the scores.
        zsl: (N,) predictions among the unseen classes; None: taken from `scores`.

    Raises:
        ScoresError: if scores are not finite or labels are out of range.
    """
    both = scores if isinstance(scores, Rivals) else rivals(scores, seen)
    labels, seen = check_labels(labels, len(both), seen)
    predicted = both.predict(delta)
    seen_classes, unseen_classes = np.flatnonzero(seen), np.flatnonzero(~seen)
    return Accuracies(
        delta=delta,
        zsl=per_class(both.unseen if zsl is None else zsl, labels, unseen_classes),
        unseen=per_class(predicted, labels, unseen_classes),
        seen=per_class(predicted, labels, seen_classes),
    )


def top1(scores: np.ndarray, labels: np.ndarray) -> PerClass:
    """Per-class top-1 accuracy over all columns of `scores` (N, C)."""
    scores = check_scores(scores)
    labels, _ = check_labels(labels, len(scores), np.ones(scores.shape[1], bool))
    return per_class(scores.argmax(1), labels, np.arange(scores.shape[1]))


def check_labels(labels: np.ndarray, images: int, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) as int64 and `seen` (C,) as bool.

    Raises:
        ScoresError: if there is not one label per image, or labels are out of range.
    """
    labels, seen = np.asarray(labels, np.int64), np.asarray(seen, bool)
    if labels.shape != (images,):
        raise ScoresError(f"there are scores of {images} images but {labels.size} labels.")
    if len(labels) and not (0 <= labels.min() and labels.max() < len(seen)):
        raise ScoresError(
            f"labels range from {labels.min()} to {labels.max()}, but there are scores of {len(seen)} classes."
        )
    return labels, seen
