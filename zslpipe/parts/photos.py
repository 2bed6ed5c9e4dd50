"""A few photos of classes that a head knows from semantics only, and what they add to its scores.

The scores s_c(x) of a trained head, less δ for seen classes, are the offset of a softmax regression on the photos,

    p(c | x) proportional to exp(trust s_c(x) / spread + <u_c, z(x)>),        u_c = 0 for classes without photos,

with z(x) the whitened features and a ridge on u. Without photos these are the scores of the head; the more photos there
are, the more they decide. One training image of each seen class takes part, so that classes with photos do not win the
images of others.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from scipy.optimize import minimize

from zslpipe.errors import InputError
from zslpipe.files import atomic_write, write_json
from zslpipe.parts.head import Head, Scorer
from zslpipe.parts.problem import Classes, TrainingData, spec_of
from zslpipe.parts.scatter import Scaler, Scatter, Sums, leading_directions
from zslpipe.store.rows import Features

if TYPE_CHECKING:
    from torch import nn

SHRINKAGE = 3.0  # of the within-class scatter, in images per dimension
ITERATIONS = 100
PREFERRED = ("global", "embedding")  # taps that are one vector an image
FILE = "photos"


class Photos(NamedTuple):
    """Features (n, ...) of n photos by tap, and their classes (n,)."""

    features: Features
    labels: np.ndarray


@dataclass(frozen=True)
class Mixing:
    """How photos and semantics are mixed.

    Attributes:
        trust: weight of the head's scores; None if the head was refitted with the photos, so that they are in it.
        ridge: on what the photos add.
        shifts: number of photos of a class to what is added to its scores, in units of their spread.
        values: number of photos to T1 and H on the validation classes.
    """

    trust: float | None
    ridge: float
    shifts: Mapping[int, float]
    values: Mapping[int, tuple[float, float]]

    def shift(self, counts: np.ndarray) -> np.ndarray:
        """(M,) for classes with so many photos, interpolated in the logarithm of their number."""
        known = sorted(self.shifts)
        return np.interp(np.log1p(counts), np.log1p([0, *known]), [0.0, *(self.shifts[n] for n in known)])

    def to_json(self) -> dict[str, Any]:
        return {
            "trust": self.trust,
            "ridge": self.ridge,
            "shifts": {str(n): shift for n, shift in self.shifts.items()},
            "values": {str(n): list(value) for n, value in self.values.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        shifts = {int(n): float(shift) for n, shift in values["shifts"].items()}
        measured = {int(n): (float(t1), float(h)) for n, (t1, h) in values["values"].items()}
        trust = None if values["trust"] is None else float(values["trust"])
        return cls(trust, float(values["ridge"]), shifts, measured)


@dataclass(frozen=True, eq=False)
class Space:
    """Whitened features of one tap: within-class variance one along every axis, up to shrinkage."""

    tap: str
    scatter: Scatter

    @classmethod
    def of(cls, features: Features, labels: np.ndarray) -> Self:
        """From training images (N, ...) and their labels (N,).

        Raises:
            InputError: if no tap is one vector an image.
        """
        tap = next((tap for tap in PREFERRED if tap in features), None)
        if tap is None:
            raise InputError(
                f"photos are compared by {' or '.join(PREFERRED)} features, and there are only {', '.join(features)}: "
                "extract with --taps global too."
            )
        rows = features[tap]
        classes, labels = np.unique(labels, return_inverse=True)
        scaler = Scaler.fit(rows, unit=True)
        project = leading_directions(rows, labels, len(classes), scaler)
        sums = Sums.of(rows, labels, len(classes), scaler, project)
        return cls(tap, Scatter.of(scaler, sums, project=project))

    def __call__(self, features: Features) -> np.ndarray:
        """(N, r) float32, the last column of ones."""
        z = self.scatter.project(features[self.tap]) / np.sqrt(self.scatter.shrunk(SHRINKAGE)).astype(np.float32)
        return np.concatenate([z, np.ones((len(z), 1), np.float32)], 1)


def spread_of(scores: np.ndarray) -> float:
    """The standard deviation of an image's scores (N, C) over the classes, averaged over the images."""
    return float(scores.std(1, dtype=np.float64).mean()) or 1.0


def residual(offset: np.ndarray, z: np.ndarray, labels: np.ndarray, moved: np.ndarray, ridge: float) -> np.ndarray:
    """The rows u (M, r) of the M moved classes that minimise the cross-entropy of offset + z u^T plus the ridge.

    Args:
        offset: (n, C) scores of n images.
        z: (n, r).
        labels: (n,) columns of `offset`.
        moved: (M,) columns whose scores may change.
        ridge: times |u|^2 / 2 is added to the sum of the cross-entropies.
    """
    # u lies in the span of the images: with z^T = Q R it has as many unknowns a class as there are images.
    basis, factor = np.linalg.qr(z.astype(np.float64).T)
    x, n = factor.T, np.arange(len(z))
    target = (labels[:, None] == moved).astype(np.float64)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        u = flat.reshape(x.shape[1], len(moved))
        logits = offset.astype(np.float64)
        logits[:, moved] += x @ u
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits)
        total = p.sum(1)
        value = np.log(total).sum() - logits[n, labels].sum() + 0.5 * ridge * (u * u).sum()
        gradient = x.T @ (p[:, moved] / total[:, None] - target) + ridge * u
        return float(value), gradient.ravel()

    start = np.zeros(x.shape[1] * len(moved))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return np.asarray((basis @ found.x.reshape(x.shape[1], len(moved))).T)


class WithPhotos(Head):
    """A trained head whose scores of some classes are moved by photos of them; it cannot be trained itself.

    Attributes:
        base: the head; classes without photos have its scores.
        space: of the photos' features.
        semantics: (M, A) of the unseen classes with photos, by which they are recognised.
        weights: (M, r) added to the scores as z(x) weights^T.
        shifts: (M,) added as well.
        counts: (M,) photos.
    """

    def __init__(
        self,
        base: Head,
        space: Space,
        semantics: np.ndarray,
        weights: np.ndarray,
        shifts: np.ndarray,
        counts: np.ndarray,
        features: Features | None = None,
    ) -> None:
        self.base, self.space = base, space
        self.semantics, self.weights, self.shifts, self.counts = semantics, weights, shifts, counts
        self.name, self.separate_zsl = base.name, base.separate_zsl  # type: ignore[misc]
        known = base.fitted_problem
        width = len(space.scatter.scaler.centre)
        taps = {
            **known.stored,
            space.tap: known.stored.get(space.tap) or spec_of({space.tap: np.empty((0, width))}, space.tap),
        }
        self.problem_ = replace(known, taps=taps, made_from={})

    def scorer(self, classes: Classes) -> Scorer:
        score = self.base.bind(classes)
        columns, weights, shifts = self._moved(classes)

        def scores(features: Features) -> np.ndarray:
            moved = score(features).copy()
            if len(columns):
                moved[:, columns] += self.space(features) @ weights + shifts
            return moved

        return scores

    def added(self, features: Features, classes: Classes) -> np.ndarray:
        """(N, C) what the photos add to the scores of N images."""
        columns, weights, shifts = self._moved(classes)
        z = self.space(features)
        added = np.zeros((len(z), len(classes.semantics)), np.float32)
        added[:, columns] = z @ weights + shifts
        return added

    def _moved(self, classes: Classes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The K columns of classes with photos, and the weights (r, K) and shifts (K,) of their scores."""
        place = {row.tobytes(): i for i, row in enumerate(self.semantics)}
        unseen = [(c, row.tobytes()) for c, row in enumerate(classes.semantics) if not classes.seen[c]]
        found = [(c, place[row]) for c, row in unseen if row in place]
        columns, rows = (np.array(side, int) for side in (zip(*found) if found else ((), ())))
        return columns, self.weights[rows].T.astype(np.float32), self.shifts[rows].astype(np.float32)

    def graph(self) -> "nn.Module":
        raise InputError(f"this {self.name} was given photos, which cannot be exported: export a run without them.")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return self.base.get_params(deep)

    def learn(self, data: TrainingData) -> None:
        raise InputError(f"this {self.name} was given photos: train a new head instead.")

    def state(self) -> dict[str, np.ndarray]:
        scatter = self.space.scatter
        return {
            "basis": scatter.basis,
            "centre": scatter.scaler.centre,
            "spread": np.array([scatter.scaler.spread]),
            "variance": scatter.variance,
            "measured": np.array([scatter.mean_variance, scatter.images]),
            "semantics": self.semantics,
            "weights": self.weights,
            "shifts": self.shifts,
            "counts": self.counts,
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        raise InputError("photos are read with WithPhotos.read.")

    def save(self, folder: Path) -> None:
        """Write photos.safetensors and photos.json beside the files of the base head, which are not written."""
        from safetensors.numpy import save

        with atomic_write(folder / f"{FILE}.safetensors") as stream:
            stream.write(save({k: np.require(v, requirements="C") for k, v in self.state().items()}))
        write_json(folder / f"{FILE}.json", {"tap": self.space.tap})

    @classmethod
    def read(cls, folder: Path, base: Head) -> Self:
        """What `save` wrote, on top of the base head.

        Raises:
            InputError: if the files are not those of this head.
        """
        from safetensors.numpy import load_file

        try:
            tap = str(json.loads((folder / f"{FILE}.json").read_text())["tap"])
            s = load_file(folder / f"{FILE}.safetensors")
            scaler = Scaler(True, s["centre"], float(s["spread"][0]))
            nothing = np.empty((0, len(s["variance"])))
            mean_variance, images = float(s["measured"][0]), int(s["measured"][1])
            scatter = Scatter(scaler, s["basis"], s["variance"], mean_variance, images, nothing, np.empty(0))
            if not all(np.isfinite(v).all() for v in s.values()):
                raise ValueError("a number is NaN or infinite")
            if s["basis"].shape != (len(s["centre"]), len(s["variance"])) or s["weights"].shape != (
                len(s["semantics"]),
                len(s["variance"]) + 1,
            ):
                raise ValueError("arrays do not fit together")
            return cls(base, Space(tap, scatter), s["semantics"], s["weights"], s["shifts"], s["counts"])
        except InputError:
            raise
        except Exception as problem:  # whatever files of others hold
            reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]
            raise InputError(f"{folder} has no usable photos ({reason}): give the photos again.") from problem


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores and whitened features of images, from which photos are learnt.

    Attributes:
        scores: (n, C), less δ for seen classes and divided by their spread.
        z: (n, r).
        labels: (n,).
    """

    scores: np.ndarray
    z: np.ndarray
    labels: np.ndarray

    def at(self, index: np.ndarray) -> "Scored":
        return Scored(self.scores[index], self.z[index], self.labels[index])

    def plus(self, other: "Scored") -> "Scored":
        return Scored(*(np.concatenate([getattr(self, k), getattr(other, k)]) for k in ("scores", "z", "labels")))


def moves(photos: Scored, others: Scored, trust: float, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """The classes with photos (M,), and the weights (M, r) that are added to scores / spread as z weights^T.

    Args:
        photos: with their true classes.
        others: training images of seen classes.
        trust, ridge: see `Mixing`.
    """
    moved, both = np.unique(photos.labels), photos.plus(others)
    return moved, residual(trust * both.scores, both.z, both.labels, moved, ridge) / trust
