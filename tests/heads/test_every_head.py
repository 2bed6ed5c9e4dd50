"""Every registered head answers the same calls in the same way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone

from zslpipe.backbones import create_model
from zslpipe.backbones.weights import content_hash
from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Attributes, Head, load_head
from zslpipe.heads.bsnet import SpecialistHead
from zslpipe.heads.sc_egg import ScEgg
from zslpipe.parts.generator_head import GeneratorHead
from zslpipe.parts.sums_attributes import SumsAttributes
from zslpipe.parts.synthesis import Synthesis
from zslpipe.parts.torch_head import TorchHead
from zslpipe.store.rows import Features, take

SEEN, UNSEEN, EACH, A, WIDTH, REGIONS, WORDS, TRUNK = 6, 3, 8, 7, 12, 5, 4, 192


class Stored(dict[str, np.ndarray]):
    """Features that know the network that made them, as a store's do."""

    backbone: ClassVar = {
        "name": "test_resnet",
        "weights": "random",
        "image_size": 64,
        "hash": content_hash(create_model("test_resnet", "random", 64)),
    }


class Data:
    """Images whose features depend on the semantics of their class; the informative region varies."""

    def __init__(self, seed: int = 0, dtype: type = np.float32) -> None:
        rng = np.random.default_rng(seed)
        self.semantics = rng.uniform(0.1, 1, size=(SEEN + UNSEEN, A)).astype(np.float32)
        self.labels = np.repeat(np.arange(SEEN + UNSEEN), EACH)
        signal = (self.semantics - self.semantics.mean(0))[self.labels] @ rng.normal(size=(A, WIDTH))
        regions = 0.3 * rng.normal(size=(len(self.labels), REGIONS, WIDTH))
        regions[np.arange(len(regions)), rng.integers(REGIONS, size=len(regions))] += signal
        trunk = (regions[:, :4] @ rng.normal(size=(WIDTH, TRUNK))).reshape(len(regions), 2, 2, TRUNK)
        taps = {"global": regions.mean(1), "region": regions, "trunk": trunk}
        self.features: Features = Stored({tap: rows.astype(dtype) for tap, rows in taps.items()})
        self.attributes = Attributes(
            tuple(f"part::{i}" for i in range(A)), rng.normal(size=(A, WORDS)).astype(np.float32)
        )
        embedding = self.semantics[self.labels] + 0.1 * rng.normal(size=(len(self.labels), A))
        self.features["embedding"] = embedding.astype(dtype)  # type: ignore[index]
        self.train = np.flatnonzero(self.labels < SEEN)

    def fit(self, head: Head) -> Head:
        labels = self.labels[self.train]
        return head.fit(take(self.features, self.train), labels, self.semantics, self.attributes)


def quick(name: str) -> dict[str, Any]:
    """Settings with which a head trains quickly."""
    settings: dict[str, Any] = {}
    if issubclass(HEADS[name], TorchHead):
        settings |= {"epochs": 2, "batch": 16, "device": "cpu"}
    if issubclass(HEADS[name], Synthesis):
        settings |= {"synthetic": 10, "classifier_epochs": 2, "device": "cpu"}
    if issubclass(HEADS[name], GeneratorHead):
        settings |= {"hidden": 16, "every": 1}
    if issubclass(HEADS[name], ScEgg):
        settings |= {"embedding_epochs": 2, "correspondence_epochs": 2}
    if issubclass(HEADS[name], SpecialistHead):
        settings |= {"modules": 3}
    return settings


@pytest.fixture(scope="module")
def data() -> Data:
    return Data()


@pytest.fixture(scope="module", params=list(HEADS))
def fitted(request: pytest.FixtureRequest, data: Data) -> Head:
    return data.fit(HEADS[request.param](**quick(request.param)))


def test_scores_have_shape_and_type(fitted: Head, data: Data) -> None:
    scores = fitted.decision_function(data.features, data.semantics)
    assert scores.shape == (len(data.labels), SEEN + UNSEEN)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.array_equal(fitted.predict(data.features, data.semantics), scores.argmax(1))


def test_what_each_attribute_adds_sums_to_the_scores(fitted: Head, data: Data) -> None:
    if not isinstance(fitted, SumsAttributes):
        pytest.skip("its scores are not sums over attributes")
    terms = fitted.attribute_terms(data.features, data.semantics)
    assert terms.shape == (len(data.labels), SEEN + UNSEEN, A)
    np.testing.assert_allclose(
        terms.sum(2), fitted.decision_function(data.features, data.semantics), rtol=1e-3, atol=1e-5
    )


def test_it_learns_something(data: Data) -> None:
    for name in HEADS:
        more = {"epochs": 30, "learning_rate": 1e-2} if issubclass(HEADS[name], TorchHead) else {}
        more |= {"classifier_epochs": 50, "classifier_rate": 1e-2} if issubclass(HEADS[name], Synthesis) else {}
        head = data.fit(HEADS[name](**{**quick(name), **more}))
        predicted = head.predict(take(data.features, data.train), data.semantics[:SEEN])
        assert np.mean(predicted == data.labels[data.train]) > 2 / SEEN, name


def test_any_list_of_classes_in_any_order(fitted: Head, data: Data) -> None:
    scores = fitted.decision_function(data.features, data.semantics)
    order = np.random.default_rng(1).permutation(SEEN + UNSEEN)
    moved = fitted.decision_function(data.features, data.semantics[order])
    np.testing.assert_allclose(moved, scores[:, order], rtol=1e-4, atol=1e-5)
    for count in (1, 2, 25):
        new = np.random.default_rng(2).uniform(0.1, 1, size=(count, A)).astype(np.float32)
        assert fitted.decision_function(data.features, new).shape == (len(data.labels), count)


def test_rows_do_not_depend_on_their_company(fitted: Head, data: Data) -> None:
    scores = fitted.decision_function(data.features, data.semantics)
    some = np.array([40, 3, 3, 17])
    np.testing.assert_allclose(
        fitted.decision_function(take(data.features, some), data.semantics), scores[some], rtol=1e-4, atol=1e-5
    )
    assert fitted.decision_function(take(data.features, some[:0]), data.semantics).shape == (0, SEEN + UNSEEN)


def test_saved_and_loaded_heads_score_the_same(fitted: Head, data: Data, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loaded = load_head(tmp_path)
    assert type(loaded) is type(fitted)
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(
        loaded.decision_function(data.features, data.semantics), fitted.decision_function(data.features, data.semantics)
    )
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]


@pytest.mark.parametrize("name", HEADS)
def test_same_seed_same_numbers(name: str, data: Data) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state must not matter
    once, twice = (data.fit(HEADS[name](**quick(name))).decision_function(data.features, data.semantics) for _ in "ab")
    np.testing.assert_array_equal(once, twice)
    if issubclass(HEADS[name], TorchHead):
        other = data.fit(HEADS[name](**quick(name), seed=1)).decision_function(data.features, data.semantics)
        assert not np.array_equal(once, other)


@pytest.mark.parametrize("name", HEADS)
def test_half_precision_features_are_welcome(name: str) -> None:
    half, whole = Data(dtype=np.float16), Data()
    head = half.fit(HEADS[name](**quick(name)))
    scores = head.decision_function(half.features, half.semantics)
    assert scores.dtype == np.float32
    expected = whole.fit(HEADS[name](**quick(name))).decision_function(whole.features, whole.semantics)
    assert np.abs(scores - expected).max() < 0.05 * np.ptp(expected)


@pytest.mark.parametrize("name", HEADS)
def test_settings_as_in_scikit_learn(name: str) -> None:
    head = HEADS[name]()
    params = head.get_params()
    assert HEADS[name](**params).get_params() == params
    assert clone(head).get_params() == params
    for key, value in params.items():
        assert isinstance(value, (str, int, float, bool, type(None))), f"{key} would not survive JSON"
    key = next(iter(params))
    assert head.set_params(**{key: params[key]}) is head
    with pytest.raises(InputError, match=f"unknown setting of {name} 'no-such'"):
        head.set_params(**{"no-such": 1})
    for setting in HEADS[name].search_space():
        assert set(setting) <= set(params)


@pytest.mark.parametrize("name", HEADS)
def test_a_path_ends_where_fit_does(name: str, data: Data) -> None:
    head = HEADS[name](**quick(name))
    labels = data.labels[data.train]
    first: Mapping[str, Any] = HEADS[name].search_space()[0]
    steps = []
    for setting, fitted in head.fit_candidates(
        take(data.features, data.train), labels, data.semantics, data.attributes, [first]
    ):
        steps.append((setting, fitted.decision_function(data.features, data.semantics)))
        assert fitted.get_params() | setting == fitted.get_params()
    if issubclass(HEADS[name], TorchHead):
        annealed = issubclass(HEADS[name], SpecialistHead)  # the schedule depends on the number of epochs
        assert [s["epochs"] for s, _ in steps] == ([2] if annealed else [1, 2])
    for setting, scores in steps:
        again = data.fit(head.with_params(**setting)).decision_function(data.features, data.semantics)
        np.testing.assert_allclose(again, scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", HEADS)
def test_missing_features_are_named(name: str, data: Data) -> None:
    with pytest.raises(InputError, match="needs the features"):
        HEADS[name](**quick(name)).fit(
            {"trunk": np.zeros((48, 4), np.float32)}, data.labels[data.train], data.semantics, data.attributes
        )
