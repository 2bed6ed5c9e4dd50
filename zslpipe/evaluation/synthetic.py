"""Synthetic features against real ones: how close a generator comes to the images of each class."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from zslpipe.data.benchmark import Benchmark
from zslpipe.evaluation.protocol import seen_mask
from zslpipe.store.rows import Features, take

EACH = 30  # synthetic features of a class, and real ones at most
CLASSES, POINTS = 6, 25  # in the picture


@runtime_checkable
class MakesFeatures(Protocol):
    """A fitted head that generates features of classes given by their semantics."""

    def make_features(self, semantics: np.ndarray, each: int) -> np.ndarray:
        """(C, each, D) synthetic features of classes (C, A)."""

    def real_features(self, features: Features) -> np.ndarray:
        """(N, D) what the synthetic features imitate, of N images."""


class Likeness(NamedTuple):
    """Means over classes; 0, 1, 1 and 1 for a perfect generator and endless images.

    Attributes:
        distance: between the means of synthetic and of real features, in units of the real spread.
        spread: of the synthetic features, in units of that of the real ones. The spread is the root of the summed
            variances.
        own_mean: share of synthetic features whose nearest mean of real features is that of their class.
        purity: share of synthetic features whose nearest real feature is of their class.
    """

    distance: float
    spread: float
    own_mean: float
    purity: float


@dataclass(frozen=True, eq=False)
class Picture:
    """Real and synthetic features of some classes on the two principal axes of the real ones.

    Attributes:
        names: (K,) of the classes.
        real, synthetic: for each class (n, 2).
    """

    names: tuple[str, ...]
    real: tuple[np.ndarray, ...]
    synthetic: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Synthetic:
    """What is known about synthetic features.

    Attributes:
        sides: for "seen" and "unseen", as far as they have test images; nearest among the classes of that side.
        picture: of unseen classes, None without them.
    """

    sides: dict[str, Likeness]
    picture: Picture | None


def compare_features(head: MakesFeatures, features: Features, benchmark: Benchmark) -> Synthetic:
    """Compare synthetic features with those of the test images, at most `EACH` of every class."""
    seen = seen_mask(benchmark)
    sides, picture = {}, None
    for side, index in (("seen", benchmark.test_seen), ("unseen", benchmark.test_unseen)):
        rows = first_of_each(benchmark.labels, index, EACH)
        classes, counts = np.unique(benchmark.labels[rows], return_counts=True)
        classes = classes[counts > 1]  # one image has no spread
        rows = rows[np.isin(benchmark.labels[rows], classes)]
        if not len(classes):
            continue
        assert np.all(seen[classes] == (side == "seen"))
        real = head.real_features(take(features, rows))
        made = head.make_features(benchmark.semantics[classes], EACH)
        of = np.searchsorted(classes, benchmark.labels[rows])
        sides[side] = likeness(real, of, made)
        if side == "unseen":
            picture = picture_of(real, of, made, [benchmark.class_names[c] for c in classes])
    return Synthetic(sides, picture)


def first_of_each(labels: np.ndarray, index: np.ndarray, most: int) -> np.ndarray:
    """Of the images `index` at most so many of every class, in ascending order."""
    order = index[np.argsort(labels[index], kind="stable")]
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    within = np.arange(len(order)) - np.repeat(first, counts)
    return np.sort(order[within < most])


def likeness(real: np.ndarray, labels: np.ndarray, made: np.ndarray) -> Likeness:
    """Compare real features (N, D) of classes (N,), two of each at least, with synthetic ones (C, n, D)."""
    from sklearn.neighbors import NearestNeighbors  # imported here: it takes a second

    classes, each, width = made.shape
    means = np.stack([real[labels == c].mean(0) for c in range(classes)])
    spreads = np.array([_spread(real[labels == c]) for c in range(classes)])
    distances = np.linalg.norm(made.mean(1) - means, axis=1)
    truth, flat = np.repeat(np.arange(classes), each), made.reshape(-1, width)

    def nearest(points: np.ndarray) -> np.ndarray:
        found: np.ndarray = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(flat, return_distance=False)[:, 0]
        return found

    return Likeness(
        distance=float(np.mean(distances / spreads)),
        spread=float(np.mean([_spread(x) for x in made] / spreads)),
        own_mean=float(np.mean(nearest(means) == truth)),
        purity=float(np.mean(labels[nearest(real)] == truth)),
    )


def _spread(x: np.ndarray) -> float:
    """The root of the summed variances of features (n, D)."""
    return max(float(np.sqrt(x.var(0, ddof=1).sum())), 1e-12)


def picture_of(real: np.ndarray, labels: np.ndarray, made: np.ndarray, names: list[str]) -> Picture:
    """The classes with the most images."""
    from sklearn.decomposition import PCA

    counts = np.bincount(labels, minlength=len(made))
    chosen = np.sort(np.argsort(-counts, kind="stable")[:CLASSES])
    groups = [real[labels == c][:POINTS] for c in chosen]
    axes = PCA(2, random_state=0).fit(np.concatenate(groups))
    return Picture(
        tuple(names[c] for c in chosen),
        tuple(axes.transform(group) for group in groups),
        tuple(axes.transform(made[c, :POINTS]) for c in chosen),
    )
