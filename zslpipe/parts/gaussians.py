"""Classes as Gaussians: what is measured of the training classes, and of others by a few photos."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from zslpipe.parts.kernel_regression import Kernel, KernelRegression
from zslpipe.parts.scatter import Scaler, Scatter, members
from zslpipe.store.rows import Rows, blocks


@dataclass(frozen=True, eq=False)
class Gaussians:
    """What is measured of the training classes.

    Attributes:
        scatter: class means M and within-class variances, along the axes of a basis.
        regression: from semantics.
        variances: (S, r) of each class, or None for shared ones.
        photos: means and counts of classes without training images of which there are photos, by their semantics.
    """

    scatter: Scatter
    regression: KernelRegression
    variances: np.ndarray | None = None
    photos: Mapping[bytes, tuple[np.ndarray, int]] = field(default_factory=dict)

    def rows_of(self, semantics: np.ndarray) -> np.ndarray:
        """(C,) the training class with these very semantics, -1 if there is none."""
        return np.array([self.regression.index.get(row.tobytes(), -1) for row in semantics], np.int64)

    def photo_counts(self, semantics: np.ndarray) -> np.ndarray:
        """(C,) photos of each class."""
        return np.array([self.photos.get(row.tobytes(), (None, 0))[1] for row in semantics])

    def with_photos(self, rows: Rows, labels: np.ndarray, semantics: np.ndarray) -> "Gaussians":
        """With photos (N, D) of classes added; labels (N,) are rows of `semantics` (C, A)."""
        z, photos = self.scatter.project(rows), dict(self.photos)
        for c in np.unique(labels):
            row, new = semantics[c].tobytes(), z[labels == c].astype(np.float64)
            mean, count = photos.get(row, (np.zeros(z.shape[1]), 0))
            photos[row] = (mean * count + new.sum(0)) / (count + len(new)), count + len(new)
        return replace(self, photos=photos)

    def state(self) -> dict[str, np.ndarray]:
        """The arrays from which `from_state` restores it."""
        scatter = self.scatter
        arrays = {
            "basis": scatter.basis,
            "centre": scatter.scaler.centre,
            "spread": np.array([scatter.scaler.spread]),
            "variance": scatter.variance,
            "mean_variance": np.array([scatter.mean_variance]),
            "images": np.array([scatter.images]),
            "means": scatter.means,
            "counts": scatter.counts,
            "semantics": self.regression.semantics,
        }
        if self.variances is not None:
            arrays["variances"] = self.variances
        if self.photos:
            means, counts = zip(*self.photos.values())
            arrays["photo_semantics"] = np.stack([np.frombuffer(row, np.float32) for row in self.photos])
            arrays["photo_means"] = np.stack(means)
            arrays["photo_counts"] = np.array(counts)
        return arrays

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray], unit: bool, kernel: Kernel, gamma: float) -> Self:
        scaler = Scaler(unit, state["centre"], float(state["spread"][0]))
        mean_variance, images = float(state["mean_variance"][0]), int(state["images"][0])
        means, counts = state["means"], state["counts"]
        scatter = Scatter(scaler, state["basis"], state["variance"], mean_variance, images, means, counts)
        photos = zip(*(state.get(f"photo_{key}", ()) for key in ("semantics", "means", "counts")))
        regression = KernelRegression(state["semantics"], kernel, gamma)
        return cls(
            scatter,
            regression,
            state.get("variances"),
            {row.tobytes(): (mean, int(count)) for row, mean, count in photos},
        )


def class_variances(scatter: Scatter, rows: Rows, labels: np.ndarray) -> np.ndarray:
    """(S, r) variances of each class along the axes of `scatter`, from rows (N, D) with labels (N,)."""
    squares = np.zeros_like(scatter.means)
    for start, x in blocks(rows):
        of = labels[start : start + len(x)]
        z = scatter.scaler(x) @ scatter.basis
        squares += members(of, len(squares)) @ (z - scatter.means[of]) ** 2
    return squares / np.maximum(scatter.counts, 1)[:, None]
