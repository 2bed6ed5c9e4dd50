"""Any head as a scikit-learn classifier, and cross-validation on classes that were not trained on."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Classes, Head

Described = Mapping[Any, Any]  # label to its semantics (A,)


class ZeroShotClassifier(ClassifierMixin, BaseEstimator):
    """A head behind `fit(X, y)` and `predict(X)`, which also predicts classes that `y` does not have.

    Args:
        head: its name, or a head with settings such as `create_head("eszsl", gamma=1.0)`; the settings of the latter
            are parameters like others: `head__gamma`. It must read the tap `global`, which X is.
        semantics: label to its semantics (A,), for the labels of `y` and for all others that may be predicted; an array
            (C, A) for the labels 0 to C-1; None describes each class by itself alone, so that no others can be
            predicted.
        candidates: "all" classes compete, or only those "unseen" in `fit`.
        delta: subtracted from the scores of seen classes (calibrated stacking).

    Attributes:
        classes_: (C,) sorted labels of all classes that can be predicted.
        seen_: (C,) bool, those of `y`.
        head_: fitted.
        n_features_in_: width of X.
    """

    def __init__(
        self,
        head: str | Head = "eszsl",
        semantics: Described | np.ndarray | None = None,
        candidates: Literal["all", "unseen"] = "all",
        delta: float = 0.0,
    ) -> None:
        self.head, self.semantics, self.candidates, self.delta = head, semantics, candidates, delta

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from features (N, D) and labels (N,).

        Raises:
            InputError: if a label is not described, or the head needs other features.
        """
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        seen = np.unique(y)
        if self.candidates not in ("all", "unseen"):
            raise InputError(f"candidates must be 'all' or 'unseen', not {self.candidates!r}.")
        names, semantics = _described(self.semantics, seen)
        self.seen_ = np.isin(names, seen)
        if self.candidates == "unseen" and self.seen_.all():
            raise InputError("there are no unseen candidates: describe further classes in `semantics`.")
        labels = np.searchsorted(names, y)
        head = HEADS[self.head]() if isinstance(self.head, str) else self.head.with_params()
        self.head_ = head.fit({"global": X.astype(np.float32)}, labels, semantics)
        kept = ~self.seen_ if self.candidates == "unseen" else np.ones(len(names), bool)
        self.classes_, self.seen_ = names[kept], self.seen_[kept]
        self.scorer_classes_ = Classes(semantics[kept], self.seen_)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores (N, C); of two classes the difference (N,), positive for the second."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        scores = self.head_.bind(self.scorer_classes_)({"global": X.astype(np.float32)})
        scores = scores - np.float32(self.delta) * self.seen_
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """(N,) labels."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)
        return np.asarray(self.classes_[best])


def _described(semantics: Described | np.ndarray | None, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted labels (C,) of all classes and their semantics (C, A) float32."""
    if semantics is None:
        return seen, np.eye(len(seen), dtype=np.float32)
    if not isinstance(semantics, Mapping):
        semantics = dict(enumerate(np.asarray(semantics)))
    names = np.unique(np.array(list(semantics)))
    lacking = np.setdiff1d(seen, names)
    if len(lacking):
        raise InputError(f"the class '{lacking[0]}' is not described: add it to `semantics`.")
    widths = {np.shape(row) for row in semantics.values()}
    if len(widths) > 1 or len(next(iter(widths))) != 1:
        raise InputError(
            f"semantics must be one row of numbers for each class, all of one length, not {sorted(widths)}."
        )
    keys = {key: key for key in semantics}  # numpy's scalars find Python's keys
    return names, np.array([semantics[keys[name]] for name in names.tolist()], np.float32)


class ClassDisjointKFold(BaseCrossValidator):
    """Folds in which the test classes have no training images, as an unseen class has none.

    The classes are split at random into `n_splits` parts, each of which is the test of one fold.

    Args:
        n_splits: number of folds; there must be as many classes and one more.
        seen_share: share of the images of each training class that is tested too, for generalised zero-shot learning.
        random_state: of the split.
    """

    def __init__(self, n_splits: int = 3, *, seen_share: float = 0.0, random_state: int | None = 0) -> None:
        if n_splits < 2:
            raise InputError(f"n_splits must be >= 2, not {n_splits}.")
        if not 0 <= seen_share < 1:
            raise InputError(f"seen_share must be at least 0 and below 1, not {seen_share}.")
        self.n_splits, self.seen_share, self.random_state = n_splits, seen_share, random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of the training and of the test images of each fold.

        Raises:
            InputError: without labels, or with too few classes.
        """
        if y is None:
            raise InputError("folds of classes need labels: pass y.")
        y, random = np.asarray(y), check_random_state(self.random_state)
        classes = random.permutation(np.unique(y))
        if len(classes) < self.n_splits:
            raise InputError(f"{self.n_splits} folds need as many classes, but there are {len(classes)}.")
        for part in np.array_split(classes, self.n_splits):
            unseen = np.isin(y, part)
            test = unseen.copy()
            for c in np.setdiff1d(classes, part):
                images = random.permutation(np.flatnonzero(y == c))
                test[images[: int(self.seen_share * len(images))]] = True
            yield np.flatnonzero(~test), np.flatnonzero(test)
