"""ESZSL: an embarrassingly simple approach to zero-shot learning (Romera-Paredes & Torr, ICML 2015)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zslpipe.parts.head import Head, Scorer, register
from zslpipe.parts.problem import Classes, Problem, TrainingData
from zslpipe.parts.projections import Projections, projected
from zslpipe.parts.scaling import Scaling, fit_scaling, scale
from zslpipe.parts.scatter import members
from zslpipe.parts.settings import Positive
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import Features, Rows, blocks
from zslpipe.training.placed import check_finite

if TYPE_CHECKING:
    from torch import nn


@register("eszsl")
@dataclass
class Eszsl(Head):
    """A bilinear score x^T V s with a ridge penalty on both sides, in closed form.

    V = (X X^T + gamma I)^-1 X Y S^T (S S^T + lambda I)^-1   (their eq. 4), with X (d, m) the features as columns,
    S (a, z) the seen classes' semantics as columns and Y (m, z) = 1 for a sample's class and `negative` elsewhere.
    With X X^T = Q diag(q) Q^T and S S^T = P diag(p) P^T,

    V = Q [ (Q^T X Y S^T P)_ij / ((q_i + gamma) (p_j + lambda)) ] P^T,

    so a grid of (gamma, lambda) costs two eigendecompositions in all, which `fit_candidates` shares.

    The paper's Y has -1 where ours has 0 by default: -1 adds a term that depends only on the mean feature and
    dominates unless features or semantics are centred; if either is, -1 only doubles the scores.
    """

    gamma: Positive = 0.1  # ridge on the features' side
    lambda_: Positive = 1.0  # ridge on the semantics' side
    negative: float = 0.0  # Y of a sample for classes other than its own
    feature_scaling: Scaling = "unit"
    semantic_scaling: Scaling = "centred-unit"

    @classmethod
    def search_space(cls) -> Sequence[Mapping[str, Any]]:
        return [{"gamma": 10.0**g, "lambda_": 10.0**p} for g in range(-2, 4) for p in range(-2, 2)]

    def learn(self, data: TrainingData) -> None:
        """Fit on the tap `global`; classes without training images are left out."""
        self._solve(_Moments.of(self, data))
        self._form()

    def learn_candidates(
        self, data: TrainingData, candidates: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], Head]]:
        moments: dict[tuple[Any, ...], _Moments] = {}
        for candidate in candidates:
            head = self.with_params(**candidate)._pose(data)
            kind = (head.negative, head.feature_scaling, head.semantic_scaling)
            if kind not in moments:
                moments[kind] = _Moments.of(head, data)
            yield dict(candidate), head._solve(moments[kind])

    def _solve(self, m: "_Moments") -> Self:
        core = m.core / ((m.q[:, None] + self.gamma) * (m.p[None, :] + self.lambda_))
        self._factors = m, core.astype(np.float32)
        self.feature_statistics_, self.semantic_statistics_ = m.feature_statistics, m.semantic_statistics
        return self

    def _form(self) -> None:
        if not hasattr(self, "V_"):
            moments, core = self._factors
            self.V_ = moments.left @ core @ moments.right.T

    def scorer(self, classes: Classes) -> Scorer:
        s = scale(classes.semantics, self.semantic_scaling, *self.semantic_statistics_)
        if hasattr(self, "V_"):
            return partial(self._scores, self.V_ @ s.T)
        moments, core = self._factors  # of a candidate: V is not formed, images are projected once
        weights = core @ (s @ moments.right).T

        def score(features: Features) -> np.ndarray:
            kept = moments.projected(features["global"], self.feature_scaling)
            return self._scores(moments.left @ weights, features) if kept is None else kept @ weights

        return score

    def _scores(self, weights: np.ndarray, features: Features) -> np.ndarray:
        """(N, K) for weights (d, K)."""
        how, statistics = self.feature_scaling, self.feature_statistics_
        return projected(features["global"], weights.shape[1], lambda x: scale(x, how, *statistics) @ weights)

    def graph(self) -> "nn.Module":
        from zslpipe.parts.closed_graphs import BilinearGraph

        self._form()
        return BilinearGraph(
            self.V_, self.feature_scaling, self.feature_statistics_, self.semantic_scaling, self.semantic_statistics_
        )

    def attribute_terms(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        """(N, C, A) what each attribute adds to the scores: (x^T V)_a s_a."""
        self._form()
        s = scale(self.check_semantics(semantics), self.semantic_scaling, *self.semantic_statistics_)
        return self._scores(self.V_, features)[:, None] * s

    def state(self) -> dict[str, np.ndarray]:
        self._form()
        return {
            "V": self.V_,
            "feature_centre": self.feature_statistics_[0],
            "feature_divisor": self.feature_statistics_[1],
            "semantic_centre": self.semantic_statistics_[0],
            "semantic_divisor": self.semantic_statistics_[1],
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.V_ = state["V"]
        self.feature_statistics_ = state["feature_centre"], state["feature_divisor"]
        self.semantic_statistics_ = state["semantic_centre"], state["semantic_divisor"]

    @classmethod
    def upgrade(cls, about: dict[str, Any], state: dict[str, np.ndarray]) -> Problem:
        width, attributes = state["V"].shape
        return Problem({"global": TapSpec((width,))}, attributes)


@dataclass(frozen=True)
class _Moments:
    """Everything in the closed form that does not depend on gamma and lambda."""

    q: np.ndarray  # (d,) eigenvalues of X X^T
    p: np.ndarray  # (a,) eigenvalues of S S^T
    left: np.ndarray  # Q (d, d) float32
    right: np.ndarray  # P (a, a) float32
    core: np.ndarray  # Q^T X Y S^T P (d, a)
    feature_statistics: tuple[np.ndarray, np.ndarray]
    semantic_statistics: tuple[np.ndarray, np.ndarray]
    projections: Projections = field(default_factory=Projections)

    def projected(self, rows: Rows, how: Scaling) -> np.ndarray | None:
        """Scaled rows in the basis Q (n, d), kept for the next setting; None if they take too much memory."""
        return self.projections.of(
            rows, self.left.shape[1], lambda x: scale(x, how, *self.feature_statistics) @ self.left
        )

    @classmethod
    def of(cls, head: Eszsl, data: TrainingData) -> "_Moments":
        seen, labels = np.unique(data.labels, return_inverse=True)
        how_x, how_s = head.feature_scaling, head.semantic_scaling
        rows, semantics = data.features["global"], data.semantics
        for start, x in blocks(rows):
            check_finite("global", x, start)
        x_statistics = fit_scaling(rows, how_x)
        s_statistics = fit_scaling(semantics[seen], how_s)
        sums = np.zeros((len(seen), rows.shape[1]))  # (z, d) feature sums of the classes
        gram = np.zeros((rows.shape[1], rows.shape[1]))  # X X^T
        for start, block in blocks(rows):
            x = scale(block, how_x, *x_statistics).astype(np.float64)  # rows of the paper's X^T (m, d)
            sums += members(labels[start : start + len(x)], len(seen)) @ x
            gram += x.T @ x
        s = scale(semantics[seen], how_s, *s_statistics).astype(np.float64)  # (z, a): S^T
        xy = (1 - head.negative) * sums + head.negative * sums.sum(0)  # (X Y)^T
        q, left = np.linalg.eigh(gram)
        p, right = np.linalg.eigh(s.T @ s)
        core = (xy @ left).T @ (s @ right)
        # Rounding can leave an eigenvalue of a Gram matrix just below zero.
        q, p = q.clip(min=0), p.clip(min=0)
        return cls(q, p, left.astype(np.float32), right.astype(np.float32), core, x_statistics, s_statistics)
