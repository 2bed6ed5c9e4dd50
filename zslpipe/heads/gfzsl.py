"""GFZSL: classes as Gaussians whose parameters are regressed from semantics (Verma & Rai, ECML-PKDD 2017)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from zslpipe.errors import InputError
from zslpipe.parts.check import check_training
from zslpipe.parts.gaussian_contrast import attribute_differences
from zslpipe.parts.gaussian_training import GaussianTraining
from zslpipe.parts.gaussians import Gaussians
from zslpipe.parts.head import Head, Scorer, Setting, register
from zslpipe.parts.kernel_regression import Kernel
from zslpipe.parts.offset import HeldOut, fit_offset
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.parts.settings import NonNegative, Positive, Whole
from zslpipe.store.rows import Features, Rows

if TYPE_CHECKING:
    from torch import nn

NOISE = 0.1  # shrinkage of S_w as the noise of photos: Sigma also covers what the regression misses


@register("gfzsl")
@dataclass
class Gfzsl(Head):
    """log N(x; p_c, Sigma), with class means p_c regressed from semantics and one within-class covariance.

    Features are scaled to unit length, centred, and divided by one number. With the means M (S, D) of the seen classes,
    their within-class scatter S_w and the kernel matrix K of their semantics,

        p_c   = k_c (K + lambda I)^-1 M                                       (kernel ridge regression)
        Sigma = (n S_w + s D tr(S_w)/D I) / (n + s D)                          (a prior worth s D images)
        score = log N(x; p_c, Sigma) + b [c is not a training class]          up to a constant of x, divided by T

    b and T are fitted to 20 % of the training images, by maximum likelihood, while some of the training classes take
    the part of unseen classes (as large a share as unseen classes have of all): regressed means are less certain than
    those of training classes, and the scores of high-dimensional Gaussians are overconfident. So exp(score) is
    proportional to a probability, and little is left for a calibration with delta.

    Args:
        gamma: of the kernel exp(-gamma |a - b|^2) of unit-length semantics, centred at the mean of the seen classes.
        lambda_: ridge.
        shrinkage: s. In units of D images, since the best share of the prior falls with their number: on folds of
            CUB with 1000, 2000 and 4000 images s = 3, 3 and 2.4 validate best, shares of 0.75, 0.6 and 0.37.
        kernel: rbf, or linear: <a, b> + 1.
        seen_means: regressed (as for unseen classes), measured, or their posterior mean given n images, where the
            prior is the regression without that class, with the variance of its residuals along each axis.
        covariance: shared, or per-class as in the paper: diagonal, with regressed logarithms.
        prior: of classes: uniform, or the counts of training images (the mean logarithm for unseen classes).
        unit: scale features to unit length.
        balanced: fit b and T; otherwise b = 0 and T = 1.
        seed: of the images and classes that are held out for that.

    Departures from the paper: the covariance is shared (by default) and full instead of diagonal per class, b and T.
    """

    gamma: Positive = 0.3
    lambda_: Positive = 0.03
    shrinkage: NonNegative = 3.0
    kernel: Kernel = "rbf"
    seen_means: Literal["regressed", "measured", "posterior"] = "regressed"
    covariance: Literal["shared", "per-class"] = "shared"
    prior: Literal["uniform", "counts"] = "uniform"
    unit: bool = True
    balanced: bool = True
    seed: Whole = 0

    @classmethod
    def search_space(cls) -> Sequence[Setting]:
        grid = product((0.03, 0.1, 0.2, 0.4), (0.003, 0.01, 0.03, 0.1), (1.0, 3.0, 10.0, 30.0))
        return [{"gamma": g, "lambda_": r, "shrinkage": s} for g, r, s in grid]

    # --- training ---

    def learn(self, data: TrainingData) -> None:
        self._solve(self._measured(data))

    def learn_candidates(self, data: TrainingData, candidates: Sequence[Setting]) -> Iterator[tuple[Setting, Head]]:  # type: ignore[override]
        shared: dict[tuple[bool, str, bool, int], GaussianTraining] = {}
        for candidate in candidates:
            head = self.with_params(**candidate)._pose(data)
            what = (head.unit, head.covariance, head.balanced, head.seed)
            if what not in shared:
                shared[what] = head._measured(data, repeated=True)
            yield dict(candidate), head._solve(shared[what])

    def _measured(self, data: TrainingData, repeated: bool = False) -> GaussianTraining:
        what = {"unit": self.unit, "shared": self.covariance == "shared", "hold_out": self.balanced}
        return GaussianTraining.of(data, **what, seed=self.seed, repeated=repeated)

    def _solve(self, training: GaussianTraining) -> Self:
        self.gaussians_ = training.gaussians(self.kernel, self.gamma)
        self.offset_, self.temperature_ = 0.0, 1.0
        trials = [
            HeldOut(self._log_likelihood(some, training.held_out, training.semantics), training.held_out_labels, out)
            for some, out in training.splits(self.kernel, self.gamma)
        ]
        if trials:
            self.offset_, self.temperature_ = fit_offset(trials)
        return self

    # --- Gaussians of classes ---

    def class_means(self, known: Gaussians, semantics: np.ndarray) -> np.ndarray:
        """p_c (C, r) of classes in the basis."""
        measured, counts = known.scatter.means, known.scatter.counts
        means = known.regression.predict(semantics, measured, self.lambda_)
        rows = known.rows_of(semantics)
        trained = rows >= 0
        if self.seen_means == "measured":
            means[trained] = measured[rows[trained]]
        elif self.seen_means == "posterior" and trained.any():
            expected = known.regression.left_out(measured, self.lambda_)
            means[trained] = self._posterior(known, expected, measured, counts)[rows[trained]]
        for c, row in enumerate(semantics):
            if row.tobytes() in known.photos:
                mean, count = known.photos[row.tobytes()]
                means[c] = self._posterior(known, means[c : c + 1], mean[None], np.array([count]))[0]
        return means

    def uncertainty(self, known: Gaussians) -> np.ndarray:
        """(r,) variance u of a class mean around the regressed one: from leaving classes out, less the means' noise."""
        scatter, noise = known.scatter, known.scatter.shrunk(NOISE)
        residuals = scatter.means - known.regression.left_out(scatter.means, self.lambda_)
        return np.maximum((residuals**2).mean(0) - noise * (1 / scatter.counts).mean(), 1e-6 * noise)

    def _posterior(self, known: Gaussians, expected: np.ndarray, mean: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Mean of N(expected, u) given `count` images (C,) with this `mean` (C, r), drawn from N(., S_w)."""
        uncertainty, noise, n = self.uncertainty(known), known.scatter.shrunk(NOISE), count[:, None]
        return (noise * expected + n * uncertainty * mean) / (noise + n * uncertainty)

    def class_variances(self, known: Gaussians, semantics: np.ndarray) -> np.ndarray:
        """(C, r) variances of classes along the axes, (1, r) if they are shared."""
        if known.variances is None:
            return known.scatter.shrunk(self.shrinkage)[None]
        counts, prior = known.scatter.counts[:, None], self.shrinkage * len(known.scatter.scaler.centre)
        shrunk = (counts * known.variances + prior * known.scatter.shrunk(self.shrinkage)) / (counts + prior)
        centre = np.log(shrunk).mean(0)
        return np.exp(centre + known.regression.predict(semantics, np.log(shrunk) - centre, self.lambda_))

    def class_offsets(self, known: Gaussians, semantics: np.ndarray) -> np.ndarray:
        """(C,) b for classes without images, 0 for training classes, in between for those with a few photos."""
        offsets = np.where(known.rows_of(semantics) >= 0, 0.0, self.offset_)
        counts = known.photo_counts(semantics)
        if counts.any():  # b shrinks as the uncertainty of the mean does
            noise, uncertainty = known.scatter.shrunk(NOISE), self.uncertainty(known)
            uncertain = uncertainty / self.class_variances(known, semantics).mean(0)
            offsets = offsets * ((noise / (noise + counts[:, None] * uncertainty)) @ uncertain) / uncertain.sum()
        if self.prior == "counts":
            logs = np.log(known.scatter.counts / known.scatter.counts.sum())
            rows = known.rows_of(semantics)
            offsets += np.where(rows >= 0, logs[rows], logs.mean())
        return offsets

    # --- scores ---

    def scorer(self, classes: Classes) -> Scorer:
        known = self.gaussians_
        weights, bias = self._linear(known, classes.semantics)
        bias = bias + self.class_offsets(known, classes.semantics)
        quadratic = self._quadratic(known, classes.semantics)
        weights, bias = (weights / self.temperature_).astype(np.float32), (bias / self.temperature_).astype(np.float32)

        if quadratic is not None:
            quadratic = quadratic / self.temperature_
        return lambda features: known.scatter.scores(features["global"], weights, bias, quadratic)

    def graph(self) -> "nn.Module":
        from zslpipe.parts.closed_graphs import GaussianGraph

        known = self.gaussians_
        if known.photos or known.variances is not None:
            raise InputError(
                f"{self.name} cannot be exported with photos of unseen classes or with a covariance per class: train "
                "it with covariance=shared, without photos."
            )
        own = known.regression.semantics
        nobody = np.full_like(own[:1], np.nan)  # the semantics of no training class
        return GaussianGraph(
            known.scatter.scaler,
            known.scatter.basis,
            known.regression,
            known.regression.coefficients(known.scatter.means, self.lambda_),
            known.scatter.shrunk(self.shrinkage),
            None if self.seen_means == "regressed" else self.class_means(known, own),
            self.class_offsets(known, np.concatenate([own, nobody])),
            self.temperature_,
        )

    def _linear(self, known: Gaussians, semantics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (r, C) and bias (C,) of the log-likelihood of projected images."""
        means, variances = self.class_means(known, semantics), self.class_variances(known, semantics)
        bias = -0.5 * (means**2 / variances).sum(1)
        if known.variances is not None:
            bias -= 0.5 * np.log(variances).sum(1)
        return (means / variances).T, bias

    def _quadratic(self, known: Gaussians, semantics: np.ndarray) -> np.ndarray | None:
        """(r, C) weights of squared projections; None if they are the same for all classes."""
        if known.variances is None:
            return None
        return (0.5 / self.class_variances(known, semantics).T).astype(np.float32)

    def _log_likelihood(self, known: Gaussians, rows: Rows, semantics: np.ndarray) -> np.ndarray:
        weights, bias = (values.astype(np.float32) for values in self._linear(known, semantics))
        return known.scatter.scores(rows, weights, bias, self._quadratic(known, semantics))

    def distance(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C) squared Mahalanobis distances of images to class means: large to all of them if the class is new."""
        known, z = self.gaussians_, self.gaussians_.scatter.project(features["global"])
        deviation = np.sqrt(self.class_variances(known, semantics).mean(0))
        means = self.class_means(known, semantics) / deviation
        z = z / deviation
        return np.asarray((z * z).sum(1)[:, None] + (means**2).sum(1) - 2 * z @ means.T, np.float32)

    def embed(self, features: Features) -> np.ndarray:
        """(N, r) whitened features: within-class variance one along every axis, up to shrinkage."""
        scatter = self.gaussians_.scatter
        return scatter.project(features["global"]) / np.sqrt(scatter.shrunk(self.shrinkage)).astype(np.float32)

    def sample(self, semantics: np.ndarray, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draw `each` images of C classes: vectors (C * each, r) in the space of `embed`, and their labels."""
        known, semantics = self.gaussians_, self.check_semantics(semantics)
        deviation = np.sqrt(known.scatter.shrunk(self.shrinkage))
        means = self.class_means(known, semantics) / deviation
        spread = np.sqrt(np.broadcast_to(self.class_variances(known, semantics), means.shape)) / deviation
        noise = np.random.default_rng(seed).standard_normal((len(means), each, means.shape[1]))
        drawn = (means[:, None] + spread[:, None] * noise).astype(np.float32)
        return drawn.reshape(-1, means.shape[1]), np.repeat(np.arange(len(means)), each)

    def attribute_differences(self, features: Features, winner: np.ndarray, rival: np.ndarray) -> np.ndarray:
        """(N, A) what each attribute adds to the lead of one class over another; see `ContrastsAttributes`.

        b, measured means, photos and priors of classes are not due to attributes. A covariance per class is left out.
        """
        known, variance = self.gaussians_, self.gaussians_.scatter.shrunk(self.shrinkage)
        z = known.scatter.project(features["global"])
        return attribute_differences(known, z, winner, rival, self.lambda_, variance) / self.temperature_

    # --- a few photos ---

    def partial_fit(self, features: Features, labels: np.ndarray, semantics: np.ndarray) -> Self:
        """Move the means of unseen classes by some photos of them, to the posterior mean; returns itself.

        Photos add to those of earlier calls. Photos of training classes are refused: fit again to use them.

        Args:
            features: tap name to rows (N, ...).
            labels: (N,) rows of `semantics`.
            semantics: (C, A), one row per class.
        """
        data = check_training(features, labels, self.check_semantics(semantics))
        trained = self.gaussians_.rows_of(data.semantics)[data.labels] >= 0
        if trained.any():
            c = data.labels[trained].min()
            raise InputError(f"class {c} was a training class of {self.name}: fit again to add images to it.")
        self.gaussians_ = self.gaussians_.with_photos(data.features["global"], data.labels, data.semantics)
        return self

    # --- saved ---

    def state(self) -> dict[str, np.ndarray]:
        return {**self.gaussians_.state(), "balance": np.array([self.offset_, self.temperature_])}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.gaussians_ = Gaussians.from_state(state, self.unit, self.kernel, self.gamma)
        self.offset_, self.temperature_ = (float(v) for v in state["balance"])
