"""The scikit-learn estimator: its checks, pipelines, searches, and folds of classes."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import zslpipe
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import classes_of
from zslpipe.heads import HEADS
from zslpipe.serving.estimator import ClassDisjointKFold, ZeroShotClassifier
from zslpipe.store.rows import take

Tiny = tuple[Benchmark, np.ndarray]


@parametrize_with_checks([ZeroShotClassifier(), ZeroShotClassifier(HEADS["eszsl"](feature_scaling="centred"))])  # type: ignore[call-arg]
def test_scikit_learns_own_checks(estimator: ZeroShotClassifier, check: Any) -> None:
    """All apply; those that need pandas or SCIPY_ARRAY_API skip themselves where these are missing."""
    check(estimator)


def named(tiny: Tiny) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Features and labels of the training images, and the semantics of all classes by name."""
    benchmark, features = tiny
    names = np.array(benchmark.class_names)
    described = dict(zip(benchmark.class_names, benchmark.semantics))
    return features[benchmark.trainval], names[benchmark.labels[benchmark.trainval]], described


def test_it_predicts_as_the_head_does(tiny: Tiny) -> None:
    benchmark, features = tiny
    x, y, described = named(tiny)
    model = ZeroShotClassifier("eszsl", described, delta=0.25).fit(x, y)
    head = HEADS["eszsl"]().fit(
        take({"global": features}, benchmark.trainval), benchmark.labels[benchmark.trainval], benchmark.semantics
    )
    order = [benchmark.class_names.index(name) for name in model.classes_]
    classes = classes_of(benchmark)
    scores = head.bind(classes)({"global": features}) - 0.25 * classes.seen
    np.testing.assert_allclose(model.decision_function(features), scores[:, order], rtol=1e-4, atol=1e-4)
    assert model.seen_.sum() == 9
    assert set(model.predict(features[benchmark.test_unseen])) <= set(described)


def test_candidates_may_be_the_unseen_classes_alone(tiny: Tiny) -> None:
    benchmark, features = tiny
    x, y, described = named(tiny)
    model = ZeroShotClassifier("eszsl", described, candidates="unseen").fit(x, y)
    truth = np.array(benchmark.class_names)[benchmark.labels[benchmark.test_unseen]]
    found = model.predict(features[benchmark.test_unseen])
    assert set(found) <= {"class 9", "class 10", "class 11"}
    assert balanced_accuracy_score(truth, found) > 0.6


def test_pipelines_and_searches_on_class_disjoint_folds(tiny: Tiny) -> None:
    x, y, described = named(tiny)
    model = ZeroShotClassifier(zslpipe.create_head("eszsl"), described, candidates="unseen")
    folds = ClassDisjointKFold(3)
    scores = cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=folds)
    assert scores.shape == (3,)
    assert scores.mean() > 1 / 3  # of six candidates, the three unseen ones included
    gammas = [1e-2, 1e1, 1e6]
    search = GridSearchCV(model, {"head__gamma": gammas}, cv=folds).fit(x, y)
    means = [cross_val_score(clone(model).set_params(head__gamma=g), x, y, cv=folds).mean() for g in gammas]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], means)
    assert search.best_estimator_.head.gamma == search.best_params_["head__gamma"] == gammas[int(np.argmax(means))]
    assert model.head.gamma == HEADS["eszsl"]().gamma  # type: ignore[union-attr,attr-defined]
    assert clone(model).get_params()["head__gamma"] == model.get_params()["head__gamma"]


def test_folds_are_disjoint_in_classes(tiny: Tiny) -> None:
    x, y, _ = named(tiny)
    tested: list[str] = []
    for train, test in ClassDisjointKFold(4).split(x, y):
        assert not set(y[train]) & set(y[test])
        assert sorted([*train, *test]) == list(range(len(y)))
        tested += set(y[test])
    assert sorted(tested) == sorted(set(y))
    for train, test in ClassDisjointKFold(3, seen_share=0.25).split(x, y):
        seen = set(y[train])
        assert len(set(train) & set(test)) == 0
        assert np.isin(y[test], list(seen)).sum() == 2 * len(seen)  # of eight images each
    again = [list(test) for _, test in ClassDisjointKFold(4).split(x, y)]
    assert again == [list(test) for _, test in ClassDisjointKFold(4).split(x, y)]
    assert ClassDisjointKFold(4).get_n_splits() == 4


def test_arrays_describe_numbered_classes() -> None:
    rng = np.random.default_rng(0)
    semantics = rng.normal(size=(5, 4))
    y = np.repeat([0, 1, 2], 10)
    x = semantics[y] @ rng.normal(size=(4, 8)) + 0.1 * rng.normal(size=(30, 8))
    model = ZeroShotClassifier(semantics=semantics).fit(x, y)
    assert model.classes_.tolist() == [0, 1, 2, 3, 4]
    assert model.seen_.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"semantics": {"class 0": [1.0, 2.0]}}, "'class 1' is not described"),
        ({"candidates": "some"}, "candidates must be 'all' or 'unseen'"),
        ({"candidates": "unseen", "semantics": None}, "there are no unseen candidates"),
        ({"head": "eszl"}, "unknown head 'eszl': did you mean eszsl"),
        ({"head": "apn"}, "apn needs the features 'region'"),
        ({"semantics": {f"class {c}": np.ones(2 + c % 2) for c in range(12)}}, "one row of numbers for each class"),
    ],
)
def test_wrong_requests(tiny: Tiny, changed: dict[str, Any], told: str) -> None:
    x, y, described = named(tiny)
    with pytest.raises(InputError, match=told):
        ZeroShotClassifier(**{"semantics": described, **changed}).fit(x, y)


def test_wrong_folds(tiny: Tiny) -> None:
    x, y, _ = named(tiny)
    for make, told in (
        (lambda: ClassDisjointKFold(1), "n_splits must be >= 2"),
        (lambda: ClassDisjointKFold(2, seen_share=1.0), "seen_share must be"),
        (lambda: list(ClassDisjointKFold(10).split(x, y)), "10 folds need as many classes, but there are 9"),
        (lambda: list(ClassDisjointKFold(2).split(x)), "need labels: pass y"),
    ):
        with pytest.raises(InputError, match=told):
            make()
