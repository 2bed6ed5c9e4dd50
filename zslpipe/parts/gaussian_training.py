"""The work of fitting Gaussian classes that all settings of kernel, ridge and shrinkage share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from zslpipe.parts.gaussians import Gaussians, class_variances
from zslpipe.parts.kernel_regression import Kernel, KernelRegression
from zslpipe.parts.problem import TrainingData
from zslpipe.parts.scatter import Scaler, Scatter, Sums, leading_directions
from zslpipe.store.rows import Rows, Subset

SPLITS = 4  # in which some training classes are left out, to fit an offset for unseen ones
HELD_OUT = 0.2  # share of the images, and of the classes if there are no unseen ones


@dataclass(eq=False)
class GaussianTraining:
    """What is measured of all training images, and of those that are not held out.

    Attributes:
        semantics: (S, A) of the training classes.
        full, variances: of all training images; see `Gaussians`.
        part, part_variances: without the images held out; None if there are too few classes or images for that.
        held_out: (n, D) images held out.
        held_out_labels: (n,)
        left_out: (S,) bool for each split: the classes that take the part of unseen ones.
    """

    semantics: np.ndarray
    full: Scatter
    variances: np.ndarray | None
    part: Scatter | None = None
    part_variances: np.ndarray | None = None
    held_out: Rows = field(default_factory=lambda: np.empty((0, 0), np.float32))
    held_out_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    left_out: Sequence[np.ndarray] = ()
    _regressions: dict[Any, KernelRegression] = field(default_factory=dict)

    @classmethod
    def of(
        cls, data: TrainingData, *, unit: bool, shared: bool, hold_out: bool, seed: int, repeated: bool = False
    ) -> Self:
        """Measure the training data.

        Args:
            unit: scale features to unit length.
            shared: one covariance for all classes, instead of variances of each.
            hold_out: a share of the images, and of the classes as large a share as unseen ones have of all.
            seed: of what is held out.
            repeated: the same images will be scored for every setting.
        """
        seen, labels = np.unique(data.labels, return_inverse=True)
        rows = data.features["global"]
        scaler = Scaler.fit(rows, unit)
        project = leading_directions(rows, labels, len(seen), scaler)
        every = Sums.of(rows, labels, len(seen), scaler, project)
        full = replace(Scatter.of(scaler, every, shared, project), repeated=repeated)

        def variances(scatter: Scatter, rows: Rows, labels: np.ndarray) -> np.ndarray | None:
            return None if shared else class_variances(scatter, rows, labels)

        training = cls(data.semantics[seen], full, variances(full, rows, labels))
        random = np.random.default_rng(seed)
        share = 1 - len(seen) / len(data.semantics) or HELD_OUT
        count = max(1, round(share * len(seen)))
        held = _some_of_each(labels, random)
        if not hold_out or len(seen) - count < 2 or not len(held):
            return training
        rest = np.setdiff1d(np.arange(len(labels)), held)
        part = every - Sums.of(Subset(rows, held), labels[held], len(seen), scaler, project)
        training.part = replace(Scatter.of(scaler, part, shared, project), repeated=True)
        training.part_variances = variances(training.part, Subset(rows, rest), labels[rest])
        training.held_out, training.held_out_labels = Subset(rows, held), labels[held]
        training.left_out = [np.isin(range(len(seen)), random.permutation(len(seen))[:count]) for _ in range(SPLITS)]
        return training

    def gaussians(self, kernel: Kernel, gamma: float) -> Gaussians:
        """Of all training images and classes."""
        return Gaussians(self.full, self._regression(kernel, gamma, None), self.variances)

    def splits(self, kernel: Kernel, gamma: float) -> Iterator[tuple[Gaussians, np.ndarray]]:
        """The Gaussians without held-out images and classes, and which classes these are (S,)."""
        for number, out in enumerate(self.left_out):
            assert self.part is not None
            scatter = replace(self.part, means=self.part.means[~out], counts=self.part.counts[~out])
            variances = None if self.part_variances is None else self.part_variances[~out]
            yield Gaussians(scatter, self._regression(kernel, gamma, number), variances), out

    def _regression(self, kernel: Kernel, gamma: float, split: int | None) -> KernelRegression:
        key = kernel, gamma, split
        if key not in self._regressions:
            kept = self.semantics if split is None else self.semantics[~self.left_out[split]]
            self._regressions[key] = KernelRegression(kept, kernel, gamma)
        return self._regressions[key]


def _some_of_each(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A share of the images of every class that has at least two."""
    chosen = []
    for c in np.unique(labels):
        images = random.permutation(np.flatnonzero(labels == c))
        chosen.append(images[: max(1, round(HELD_OUT * len(images))) if len(images) > 1 else 0])
    return np.sort(np.concatenate(chosen))
