"""A head of your own in one file: ridge regression from semantics to features, then the nearest prototype.

    zslpipe heads nearest-prototype --plugin examples/my_head.py
    zslpipe train-head nearest-prototype --plugin examples/my_head.py --set ridge=10
    zslpipe eval --gzsl --calibrate --plugin examples/my_head.py

A head is a dataclass. Its fields are the hyper-parameters, their types say which values are allowed, and `register`
gives it the name that commands take. Everything else (selection on validation classes, calibration, seeds, tables,
reports) comes with zslpipe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zslpipe.parts.head import Head, Scorer, register
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.parts.settings import Positive
from zslpipe.store.rows import Features


@register("nearest-prototype")
@dataclass
class NearestPrototype(Head):
    """An image belongs to the class whose predicted prototype W s_c is nearest to its features x.

        W = argmin_W  sum_i |x_i - W s_y(i)|^2 + ridge |W|^2  =  X^T S (S^T S + ridge I)^-1
        score_c(x) = x^T W s_c - |W s_c|^2 / 2                (= -|x - W s_c|^2 / 2 up to a term that c does not change)

    Args:
        ridge: weight of the penalty on W.
    """

    taps = ("global",)  # the features it reads: one vector per image

    ridge: Positive = 1.0

    @classmethod
    def search_space(cls) -> Sequence[Mapping[str, Any]]:
        """The settings that selection tries, unless the user fixes `ridge`."""
        return [{"ridge": 10.0**power} for power in range(-1, 4)]

    def learn(self, data: TrainingData) -> None:
        """Become fitted to N images with labels (N,) into the rows of the semantics (C, A)."""
        x = np.asarray(data.features["global"][:], np.float32)  # (N, D)
        s = data.semantics[data.labels]  # (N, A)
        gram = s.T @ s + self.ridge * np.eye(s.shape[1], dtype=np.float32)  # (A, A)
        self.weights_ = np.linalg.solve(gram, s.T @ x)  # (A, D): W^T

    def scorer(self, classes: Classes) -> Scorer:
        """The scores (N, C) of images for any C classes, seen in training or not."""
        prototypes = classes.semantics @ self.weights_  # (C, D), once for all images
        offsets = np.square(prototypes).sum(1) / 2

        def score(features: Features) -> np.ndarray:
            x = np.asarray(features["global"][:], np.float32)
            return (x @ prototypes.T - offsets).astype(np.float32)

        return score

    def state(self) -> dict[str, np.ndarray]:
        """What was learned, as arrays: they are saved with a run."""
        return {"weights": self.weights_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Become fitted again."""
        self.weights_ = state["weights"]
