"""Checks of the arguments of `fit` and scoring: a one-sentence error for each problem."""

from typing import Any, ClassVar

import numpy as np
import pytest

from zslpipe.backbones import create_model
from zslpipe.backbones.weights import content_hash
from zslpipe.errors import InputError, NotFittedError
from zslpipe.heads import HEADS, Attributes, Classes, Head
from zslpipe.heads.bsnet import SpecialistHead
from zslpipe.parts.torch_head import TorchHead

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 5)
SEMANTICS = RNG.uniform(size=(6, 3)).astype(np.float32)


class Stored(dict[str, np.ndarray]):
    """Features that know the network that made them, as a store's do."""

    backbone: ClassVar = {
        "name": "test_resnet",
        "weights": "random",
        "image_size": 64,
        "hash": content_hash(create_model("test_resnet", "random", 64)),
    }


FEATURES = Stored(
    {
        "global": RNG.normal(size=(20, 8)).astype(np.float32),
        "region": RNG.normal(size=(20, 4, 8)),
        "trunk": RNG.normal(size=(20, 2, 2, 192)).astype(np.float32),
        "embedding": RNG.normal(size=(20, 3)).astype(np.float32),  # in the space of the semantics
    }
)
ATTRIBUTES = Attributes(("a", "b", "c"), RNG.normal(size=(3, 2)).astype(np.float32))


def head(name: str) -> Head:
    few = {"modules": 2} if issubclass(HEADS[name], SpecialistHead) else {}
    return HEADS[name](**({"epochs": 1, "device": "cpu", **few} if issubclass(HEADS[name], TorchHead) else {}))


def nan_in(array: np.ndarray, *at: int) -> np.ndarray:
    array = array.copy()
    array[at] = np.nan
    return array


TRAINING: dict[str, tuple[dict[str, Any], str]] = {
    "lengths": ({"labels": LABELS[:19]}, "have 20 rows but there are 19 labels"),
    "range": ({"labels": LABELS + 3}, "label 6 in row 15 does not index the 6 rows .* between 0 and 5"),
    "negative": ({"labels": LABELS - 1}, "label -1 in row 0"),
    "kind": ({"labels": LABELS.astype(float)}, "labels must be integers of shape"),
    "empty": ({"labels": LABELS[:0]}, "no training image"),
    "features": ({"features": FEATURES["global"]}, "features must map tap names to arrays"),
    "finite": (
        {"features": Stored({k: nan_in(v, 7, 0) for k, v in FEATURES.items()})},
        "features '(global|region|trunk|embedding)' contain NaN or infinity in row 7",
    ),
    "semantics": ({"semantics": SEMANTICS[0]}, r"semantics must be numbers of shape \(classes, attributes\)"),
    "words": ({"semantics": np.array([["a"]])}, "semantics must be numbers"),
    "nan semantics": ({"semantics": nan_in(SEMANTICS, 2, 1)}, "NaN or infinity in row 2, column 1"),
    "names": ({"attributes": Attributes(("a",))}, "1 attribute names for 3 columns"),
    "vectors": (
        {"attributes": Attributes(("a", "b", "c"), np.zeros((2, 5)))},
        r"word vectors must be finite and of shape \(3, W\)",
    ),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("what", TRAINING)
def test_training_data_are_checked(name: str, what: str) -> None:
    changed, sentence = TRAINING[what]
    given = {"features": FEATURES, "labels": LABELS, "semantics": SEMANTICS, "attributes": ATTRIBUTES, **changed}
    with pytest.raises(InputError, match=sentence):
        head(name).fit(**given)
    with pytest.raises(InputError, match=sentence):
        list(head(name).fit_candidates(**given))


@pytest.fixture(scope="module", params=list(HEADS))
def fitted(request: pytest.FixtureRequest) -> Head:
    return head(request.param).fit(FEATURES, LABELS, SEMANTICS, ATTRIBUTES)


def test_scoring_is_checked(fitted: Head) -> None:
    tap, *others = fitted.problem_.taps
    rest = {other: FEATURES[other] for other in others}
    with pytest.raises(InputError, match="trained with 3 semantics per class, not 2"):
        fitted.decision_function(FEATURES, SEMANTICS[:, :2])
    with pytest.raises(InputError, match="NaN or infinity in row 1, column 0"):
        fitted.decision_function(FEATURES, nan_in(SEMANTICS, 1, 0))
    score = fitted.bind(SEMANTICS)
    with pytest.raises(InputError, match=f"trained on the features '{tap}', which are missing"):
        score({**rest, "other": FEATURES["global"]})
    width = FEATURES[tap].shape[-1]
    with pytest.raises(
        InputError, match=f"trained on '{tap}' features of shape .*{width} per image, not .*{width - 1}"
    ):
        score({**rest, tap: FEATURES[tap][..., :-1]})
    with pytest.raises(InputError, match="features must map tap names"):
        score(FEATURES[tap])  # type: ignore[arg-type]


def test_a_scorer_is_bound_once_and_used_often(fitted: Head) -> None:
    classes = Classes(SEMANTICS, np.arange(6) < 4)
    score = fitted.bind(classes)
    whole = score(FEATURES)
    parts = [score({tap: rows[part] for tap, rows in FEATURES.items()}) for part in (slice(0, 9), slice(9, 20))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(whole, fitted.decision_function(FEATURES, SEMANTICS))


@pytest.mark.parametrize("name", HEADS)
def test_an_unfitted_head_says_so(name: str) -> None:
    with pytest.raises(NotFittedError, match=f"{name} is not fitted: call fit first"):
        head(name).decision_function(FEATURES, SEMANTICS)
