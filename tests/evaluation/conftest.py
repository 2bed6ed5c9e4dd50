"""A head that is quick, exact and has something to choose."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pytest

from zslpipe.heads.base import Attributes, Head
from zslpipe.store.rows import Features


@dataclass
class Ridge(Head):
    """Ridge regression onto the semantics, scored by inner product; `epochs` shrinks it, for want of training."""

    name = "ridge"
    alpha: float = 1.0
    epochs: int = 2

    @classmethod
    def search_space(cls) -> Sequence[Mapping[str, Any]]:
        return [{"alpha": a} for a in (1.0, 100.0, 1e5)]

    def fit(
        self, features: Features, labels: np.ndarray, semantics: np.ndarray, attributes: Attributes | None = None
    ) -> Self:
        x = np.asarray(features["global"][:], np.float64)
        gram = x.T @ x + self.alpha * np.eye(x.shape[1])
        self.weights_ = np.linalg.solve(gram, x.T @ semantics[labels]) * (1 - 0.5**self.epochs)
        return self

    def path(
        self,
        features: Features,
        labels: np.ndarray,
        semantics: np.ndarray,
        attributes: Attributes | None = None,
        candidates: Sequence[Mapping[str, Any]] = ({},),
    ) -> Iterator[tuple[dict[str, Any], Head]]:
        for candidate in candidates:
            for epochs in range(1, self.epochs + 1):
                setting = {**candidate, "epochs": epochs}
                yield setting, self.with_params(**setting).fit(features, labels, semantics, attributes)

    def predict_semantics(self, features: Features) -> np.ndarray:
        return (np.asarray(features["global"][:], np.float64) @ self.weights_).astype(np.float32)

    def decision_function(self, features: Features, semantics: np.ndarray) -> np.ndarray:
        return (self.predict_semantics(features) @ semantics.T).astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> Self:
        self.weights_ = state["weights"]
        return self


@pytest.fixture
def ridge() -> Head:
    return Ridge()
