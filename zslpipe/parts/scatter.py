"""Class means and within-class scatter of features, in the basis in which the scatter is diagonal."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from zslpipe.parts.projections import Projections, projected
from zslpipe.parts.scaling import unit_rows
from zslpipe.store.rows import BLOCK, Rows, blocks
from zslpipe.training.placed import check_finite

FULL = 4096  # widest features whose full scatter matrix is formed
RANK = 1024  # directions of the scatter that are kept of wider features
EPS = 1e-12


@dataclass(frozen=True, eq=False)
class Scaler:
    """x -> (x / |x| - centre) / spread, or without the norm; the mean square of all entries becomes one."""

    unit: bool
    centre: np.ndarray  # (D,)
    spread: float

    @classmethod
    def fit(cls, rows: Rows, unit: bool) -> Self:
        width = rows.shape[1]
        total, squares = np.zeros(width), 0.0
        raw = cls(unit, np.zeros(width, np.float32), 1.0)
        for start, x in blocks(rows):
            check_finite("global", x, start)
            x = raw(x)
            total += x.sum(0, dtype=np.float64)
            squares += float(np.square(x, dtype=np.float64).sum())
        centre = total / len(rows)
        variance = max(squares / len(rows) - float(centre @ centre), 0.0) / width
        return cls(unit, centre.astype(np.float32), variance**0.5 or 1.0)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, np.float32)
        if self.unit:
            x = unit_rows(x)
        return (x - self.centre) / np.float32(self.spread)


def members(labels: np.ndarray, classes: int) -> csr_array:
    """(S, N) one where an image is of a class; its product with rows is their sum by class."""
    return csr_array((np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))), (classes, len(labels)))


@dataclass(frozen=True, eq=False)
class Sums:
    """Counts (S,), sums (S, D) and second moments (D, D) of the scaled rows of S classes; subtractable."""

    counts: np.ndarray
    sums: np.ndarray
    moments: np.ndarray

    @classmethod
    def of(cls, rows: Rows, labels: np.ndarray, classes: int, scaler: Scaler, project: np.ndarray | None) -> Self:
        width = rows.shape[1] if project is None else project.shape[1]
        sums, moments = np.zeros((classes, width)), np.zeros((width, width))
        for start, x in blocks(rows):
            x = scaler(x) if project is None else scaler(x) @ project
            sums += members(labels[start : start + len(x)], classes) @ x
            moments += x.T @ x
        return cls(np.bincount(labels, minlength=classes), sums, moments)

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(self.counts - other.counts, self.sums - other.sums, self.moments - other.moments)

    @property
    def means(self) -> np.ndarray:
        return self.sums / np.maximum(self.counts, 1)[:, None]

    @property
    def scatter(self) -> np.ndarray:
        """S_w (D, D): the covariance of the rows around the means of their classes."""
        means = self.means
        return (self.moments - (means * self.counts[:, None]).T @ means) / self.counts.sum()


@dataclass(frozen=True, eq=False)
class Scatter:
    """Class means and within-class variances along the axes of a basis.

    Attributes:
        scaler: applied to features first.
        basis: (D, r) orthonormal columns: the eigenvectors of S_w, or the coordinate axes if `rotated` was False.
        variance: (r,) of S_w along them.
        mean_variance: tr(S_w) / D.
        images: n, from which S_w was computed.
        means: (S, r) of the classes.
        counts: (S,) images per class.
        repeated: keep the projections of the last rows, which must not change, as the same ones will come again.
    """

    scaler: Scaler
    basis: np.ndarray
    variance: np.ndarray
    mean_variance: float
    images: int
    means: np.ndarray
    counts: np.ndarray
    repeated: bool = False
    _projections: Projections = field(default_factory=Projections)

    @classmethod
    def of(cls, scaler: Scaler, sums: Sums, rotated: bool = True, project: np.ndarray | None = None) -> Self:
        """From the sums of scaled rows, projected on the columns of `project` (D, r) if that is given."""
        scatter = sums.scatter
        variance, basis = np.linalg.eigh(scatter) if rotated else (scatter.diagonal(), np.eye(len(scatter)))
        width = len(scatter) if project is None else len(project)
        mean_variance = float(scatter.trace() / width)
        means = sums.means @ basis
        if project is not None:
            basis = project @ basis
        images = int(sums.counts.sum())
        return cls(scaler, basis.astype(np.float32), variance.clip(min=0), mean_variance, images, means, sums.counts)

    def shrunk(self, shrinkage: float) -> np.ndarray:
        """(r,) variances of (n S_w + m tr(S_w)/D I) / (n + m) with m = shrinkage * D."""
        prior = shrinkage * len(self.scaler.centre)
        return np.maximum((self.images * self.variance + prior * self.mean_variance) / (self.images + prior), EPS)

    def project(self, rows: Rows) -> np.ndarray:
        """(N, r) float32 scaled rows in the basis."""
        return projected(rows, self.basis.shape[1], self._project)

    def scores(self, rows: Rows, weights: np.ndarray, bias: np.ndarray, quadratic: np.ndarray | None) -> np.ndarray:
        """(N, C) z W + b - z² Q of the projections z of rows, without the last term if `quadratic` is None."""
        scores = np.empty((len(rows), len(bias)), np.float32)
        for start, z in self._projected_blocks(rows):
            scores[start : start + len(z)] = z @ weights + bias
            if quadratic is not None:
                scores[start : start + len(z)] -= (z * z) @ quadratic
        return scores

    def _projected_blocks(self, rows: Rows) -> Iterator[tuple[int, np.ndarray]]:
        """Start and `project` of consecutive blocks of rows."""
        kept = self._projections.of(rows, self.basis.shape[1], self._project) if self.repeated else None
        if kept is None:
            yield from ((start, self._project(x)) for start, x in blocks(rows))
        else:
            yield from ((start, kept[start : start + BLOCK]) for start in range(0, len(kept), BLOCK))

    def _project(self, x: np.ndarray) -> np.ndarray:
        return self.scaler(x) @ self.basis


def leading_directions(rows: Rows, labels: np.ndarray, classes: int, scaler: Scaler) -> np.ndarray | None:
    """Orthonormal columns (D, r) that span the class means and the main directions of scatter; None up to `FULL`."""
    if rows.shape[1] <= FULL:
        return None
    from sklearn.utils.extmath import randomized_svd  # imported here: it takes a second

    x = scaler(np.asarray(rows[:]))
    means = members(labels, classes) @ x / np.maximum(np.bincount(labels, minlength=classes), 1)[:, None]
    _, _, axes = randomized_svd(x - means[labels], min(RANK, *x.shape), random_state=0)
    columns, _ = np.linalg.qr(np.concatenate([means, axes]).T)
    return np.asarray(columns, np.float32)
